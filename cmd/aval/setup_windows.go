package main

import (
	"github.com/spf13/cobra"

	"aval/agent"
)

// forgetSetup takes back what the service made of the installer's properties.
func forgetSetup() error { return agent.ForgetSetup() }

// setupCmds: the installer of this system lays token files down by itself.
func (a *app) setupCmds() []*cobra.Command { return nil }
