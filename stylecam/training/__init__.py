"""Everything that needs gradients: encoder, losses, data, trainer. The app never imports it."""
