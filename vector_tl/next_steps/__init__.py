"""What a command's last lines say: what was made, what it means, and commands that go on; see endings.py."""
