package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestKinds(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
		bad  bool
	}{
		"apache":  {"   Apache License\n   Version 2.0, January 2004", []string{"Apache-2.0"}, false},
		"bsd 3":   {"Redistribution and use in source and binary\nforms … Neither the name of X", []string{"BSD-3-Clause"}, false},
		"bsd 2":   {"Redistribution and use in source and binary forms, with or without", []string{"BSD-2-Clause"}, false},
		"mit":     {"Permission is hereby granted, free of charge, to any person\nobtaining a copy", []string{"MIT"}, false},
		"gpl":     {"GNU GENERAL PUBLIC LICENSE\nVersion 3, 29 June 2007", nil, true},
		"agpl":    {"GNU Affero General Public License", nil, true},
		"unknown": {"You may look at this, but not touch it.", nil, false},
	} {
		got, err := kindsOf(c.text)
		if !slices.Equal(got, c.want) || (err != nil) != c.bad {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// A module without a licence text stops the whole thing.
func TestNoLicence(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "README.md"), []byte("MIT"), 0o600); err != nil {
		t.Fatal(err)
	}
	if kinds, err := licences(dir); err == nil {
		t.Errorf("found %v in a folder without a licence", kinds)
	}
}

// The page in the repository is what the generator makes now.
func TestCurrent(t *testing.T) {
	have, err := os.ReadFile("../../THIRD_PARTY.md")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir("../..")
	mods, err := collect()
	if err != nil {
		t.Fatal(err)
	}
	if page(mods) != string(have) {
		t.Error("THIRD_PARTY.md is not current: run make third-party")
	}
}
