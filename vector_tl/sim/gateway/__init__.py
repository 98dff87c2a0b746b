"""The robot's protocol, over gRPC and JSON: what each call does and answers."""
