"""What the client costs, beside the libraries under it and the clients that people know."""
