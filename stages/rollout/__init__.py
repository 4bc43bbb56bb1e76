"""Generation behind one Protocol: the embedded transformers engine, and the scripted fake that tests use."""
