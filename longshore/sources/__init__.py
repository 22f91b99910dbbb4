"""Where metrics of versions are kept besides the gateways: one module for each place."""
