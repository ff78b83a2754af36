"""What each route does: one module per noun. Functions take the Call and the variables of their path."""
