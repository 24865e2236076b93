"""What is known of an instance: class, curvature, derivatives, scaling, certificates."""
