"""What the lecture's scripts come to over seeds: studies with a command of their own, one file each."""
