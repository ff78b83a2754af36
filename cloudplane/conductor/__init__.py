"""The only owner of state: accepts operations, claims capacity, and re-drives what stands still."""
