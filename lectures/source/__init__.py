"""What makes the lecture's texts, figures and numbers: `make lectures` and `make screenshots`."""
