"""What is known of an instance: ranges, coefficients, derivatives, scaling, sizes."""
