"""JSON schemas of requests, queries and answers: data, one module per noun. Compiled where the routes are."""
