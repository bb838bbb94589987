package main

import "aval/agent"

// forgetSetup takes back what the service made of the installer's properties.
func forgetSetup() error { return agent.ForgetSetup() }
