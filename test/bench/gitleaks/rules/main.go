// Command rules writes the rules of gitleaks, of the version that this module
// names, as data for the package redact.
//
// The one rule that must not be broken: the expressions and words are written as
// they are; what is left out is named here with its reason.
package main

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/spf13/viper"
	"github.com/zricethezav/gitleaks/v8/config"
)

const source = "github.com/zricethezav/gitleaks/v8"

// leftOut are the rules that are not taken over.
var leftOut = map[string]string{
	"generic-api-key": "lives from its list of 1,400 exceptions; the rules for assignments of this package do its work",
	"pkcs12-file":     "looks at names of files alone",
}

func main() {
	if err := write(filepath.Join("..", "..", "..", "agent", "redact", "gitleaks_rules.go")); err != nil {
		log.Fatal(err)
	}
}

func write(path string) error {
	version := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if d.Path == source {
				version = d.Version
			}
		}
	}
	if version == "" {
		return fmt.Errorf("the version of %s is not known", source)
	}
	v := viper.New()
	v.SetConfigType("toml")
	if err := v.ReadConfig(strings.NewReader(config.DefaultConfig)); err != nil {
		return fmt.Errorf("read the rules: %w", err)
	}
	var raw config.ViperConfig
	if err := v.Unmarshal(&raw); err != nil {
		return fmt.Errorf("read the rules: %w", err)
	}
	c, err := raw.Translate()
	if err != nil {
		return fmt.Errorf("read the rules: %w", err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "// Code generated from config/gitleaks.toml of %s %s by test/bench/gitleaks/rules; DO NOT EDIT.\n//\n"+
		"// The data is Copyright (c) 2019 Zachary Rice, under the MIT licence: see NOTICE.\n\npackage redact\n\nvar leaks = []leak{\n", source, version)
	for _, r := range c.GetOrderedRules() {
		if leftOut[r.RuleID] != "" || r.Regex == nil {
			continue
		}
		fmt.Fprintf(&b, "\t{%q, []string{", r.RuleID)
		for i, k := range r.Keywords {
			if i > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "%q", strings.ToLower(k))
		}
		expr := r.Regex.String()
		if strings.Contains(expr, "`") {
			fmt.Fprintf(&b, "}, %q},\n", expr)
		} else {
			fmt.Fprintf(&b, "}, `%s`},\n", expr)
		}
	}
	b.WriteString("}\n")
	return os.WriteFile(path, []byte(b.String()), 0o644)
}
