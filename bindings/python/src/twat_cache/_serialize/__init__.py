"""Results as bytes and back: MessagePack with extension types, arrays, named types, signed pickles."""
