"""What users call, where behaviour is added to the generated endpoint functions."""
