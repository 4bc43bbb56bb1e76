"""Generation behind one Protocol: the embedded transformers engine, the scripted fake that tests use; models behind an address."""
