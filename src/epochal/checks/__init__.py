"""What can be wrong before training: experiments that measure it, and rules that judge what was measured."""
