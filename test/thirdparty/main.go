// Command thirdparty writes THIRD_PARTY.md: every module that is linked into one
// of Aval's programs, with its version and licence.
//
// The one rule that must not be broken: a licence is read from the text that
// the module ships; a module without a text that is recognised, or with one that
// does not go together with Apache-2.0 in a program, stops it.
//
// It works offline, on what the module cache holds.
package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

type module struct {
	Path    string
	Version string
	Dir     string
	Main    bool

	kinds    []string
	programs map[string]bool
}

// The programs, and the systems that they are built for.
var (
	programs = []string{"aval", "aval-desktop", "aval-summarizer", "aval-ui"}
	systems  = []string{"linux", "windows", "darwin"}
)

// A licence is recognised by a sentence that only it has. All of these may be
// linked into an Apache-2.0 program; whatever is none of these is not accepted.
var known = []struct{ kind, phrase string }{
	{"Apache-2.0", "apache license version 2.0"},
	{"MPL-2.0", "mozilla public license version 2.0"},
	{"BSD-3-Clause", "neither the name of"},
	{"BSD-3-Clause", "names of its contributors may be used to endorse or promote"},
	{"BSD-2-Clause", "redistribution and use in source and binary forms"},
	{"MIT", "permission is hereby granted free of charge to any person obtaining a copy"},
	{"0BSD", "zero clause bsd"},
	{"ISC", "permission to use copy modify and or distribute this software for any purpose"},
	{"OFL-1.1", "sil open font license version 1.1"},
	{"Unlicense", "this is free and unencumbered software released into the public domain"},
	{"CC0-1.0", "cc0 1.0 universal"},
	{"Zlib", "altered source versions must be plainly marked as such"},
	{"FTL", "the freetype project license"},
}

// Never acceptable in a program of Apache-2.0, wherever they are mentioned as the licence.
var refused = []string{"gnu general public license version", "gnu affero general public license", "gnu lesser general public license version"}

// copies are what is no module but a file in this repository, with the licence
// that lies beside it.
var copies = []struct{ name, version, licence, program string }{
	{"htmx.org (summarizer/console/static/htmx.js)", "4.0.1", "summarizer/console/static/htmx.LICENSE", "aval-summarizer"},
}

// kindsOf names the licences in a text; none means that it is not recognised.
func kindsOf(text string) (kinds []string, err error) {
	words := normal(text)
	for _, bad := range refused {
		// The MPL names the GNU licences as ones that a recipient may choose.
		if strings.Contains(words, bad) && !strings.Contains(words, "mozilla public license version 2.0") {
			return nil, fmt.Errorf("a licence that cannot be combined: %q", bad)
		}
	}
	for _, k := range known {
		if !strings.Contains(words, k.phrase) || slices.Contains(kinds, k.kind) {
			continue
		}
		if k.kind == "BSD-2-Clause" && slices.Contains(kinds, "BSD-3-Clause") || k.kind == "ISC" && slices.Contains(kinds, "0BSD") {
			continue
		}
		kinds = append(kinds, k.kind)
	}
	return kinds, nil
}

// normal reduces a text to its words: line breaks and marks differ everywhere.
func normal(text string) string {
	f := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '.'
	})
	for i := range f {
		f[i] = strings.Trim(f[i], ".")
	}
	return strings.Join(slices.DeleteFunc(f, func(s string) bool { return s == "" }), " ")
}

// licences reads the licence texts at the top of a module's folder.
func licences(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var kinds []string
	for _, e := range entries {
		name := strings.ToUpper(e.Name())
		if e.IsDir() || !(strings.HasPrefix(name, "LICEN") || strings.HasPrefix(name, "COPYING") || strings.HasPrefix(name, "UNLICENSE")) {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		found, err := kindsOf(string(raw))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name(), err)
		}
		for _, k := range found {
			if !slices.Contains(kinds, k) {
				kinds = append(kinds, k)
			}
		}
	}
	if len(kinds) == 0 {
		return nil, errors.New("no licence text that is recognised")
	}
	return kinds, nil
}

// linked lists the modules of all programs on all systems.
func linked() (map[string]*module, error) {
	all := map[string]*module{}
	for _, goos := range systems {
		for _, prog := range programs {
			cmd := exec.Command("go", "list", "-deps", "-tags", "x11,migrated_fynedo,no_emoji", "-json=Module,Standard", "./cmd/"+prog)
			// cgo on, so that what only cgo files import is listed; nothing is compiled.
			cmd.Env = append(os.Environ(), "GOOS="+goos, "GOFLAGS=-mod=readonly -buildvcs=false", "CGO_ENABLED=1", "GOPROXY=off")
			cmd.Stderr = os.Stderr
			out, err := cmd.Output()
			if err != nil {
				return nil, fmt.Errorf("list what %s is made of on %s: %w", prog, goos, err)
			}
			dec := json.NewDecoder(strings.NewReader(string(out)))
			for {
				var p struct{ Module *module }
				if err := dec.Decode(&p); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					return nil, err
				}
				if p.Module == nil || p.Module.Main {
					continue
				}
				m := all[p.Module.Path]
				if m == nil {
					m = p.Module
					m.programs = map[string]bool{}
					all[m.Path] = m
				}
				m.programs[prog] = true
			}
		}
	}
	return all, nil
}

// page is the whole of THIRD_PARTY.md.
func page(mods []*module) string {
	var b strings.Builder
	b.WriteString("# Third-party modules\n\nMade by `make third-party`: do not edit. What each program is linked with, on Linux, Windows or macOS; " +
		"the licence texts are in the modules themselves.\n\n| module | version | licence | in |\n|---|---|---|---|\n")
	b.WriteString("| Go standard library | as built with | BSD-3-Clause | all |\n")
	for _, m := range mods {
		var in []string
		for _, p := range programs {
			if m.programs[p] {
				in = append(in, p)
			}
		}
		where := strings.Join(in, ", ")
		if len(in) == len(programs) {
			where = "all"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", m.Path, m.Version, strings.Join(m.kinds, ", "), where)
	}
	return b.String()
}

// collect lists the modules with their licences, sorted by path.
func collect() ([]*module, error) {
	all, err := linked()
	if err != nil {
		return nil, err
	}
	var mods []*module
	var problems []error
	for _, m := range all {
		if m.kinds, err = licences(m.Dir); err != nil {
			problems = append(problems, fmt.Errorf("%s %s: %w", m.Path, m.Version, err))
		}
		mods = append(mods, m)
	}
	for _, c := range copies {
		m := &module{Path: c.name, Version: c.version, programs: map[string]bool{c.program: true}}
		raw, err := os.ReadFile(c.licence)
		if err == nil {
			m.kinds, err = kindsOf(string(raw))
		}
		if err == nil && len(m.kinds) == 0 {
			err = errors.New("no licence text that is recognised")
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", c.name, err))
		}
		mods = append(mods, m)
	}
	slices.SortFunc(mods, func(a, b *module) int { return cmp.Compare(a.Path, b.Path) })
	return mods, errors.Join(problems...)
}

func run() error {
	out := flag.String("out", "THIRD_PARTY.md", "file to write")
	flag.Parse()
	mods, err := collect()
	if err != nil {
		return err
	}
	return os.WriteFile(*out, []byte(page(mods)), 0o644)
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "thirdparty:", err)
		os.Exit(1)
	}
}
