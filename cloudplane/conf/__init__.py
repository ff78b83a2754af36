"""Configuration options, one module per group. cmd/ registers them and hands values down."""
