"""A vault with its credentials: check, diff, and the operations that carry a change out."""
