"""The robot's protocol over gRPC: what each call does and answers."""
