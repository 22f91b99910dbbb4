"""`longshore demo`: digits are recognised, a better version replaces a good one, and a bad one sends itself back.

It does what a visitor would: brings the stack up, trains classifiers, writes manifests, and drives everything else
through the public HTTP API and the gateway.
"""
