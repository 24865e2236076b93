"""POUNCE: Ipopt's method in Rust."""
