"""What tests of several rooms share: worlds, servers, browsers, scripted persons."""
