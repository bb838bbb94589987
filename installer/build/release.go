package main

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"aval/agent/record"
)

// The files of a release beside the packages.
const (
	sumsFile       = "SHA256SUMS"
	signatureFile  = "SHA256SUMS.sig"
	sbomFile       = "sbom.cdx.json"
	provenanceFile = "provenance.json"
	envelopeFile   = "provenance.dsse.json"
)

// statementType is that of in-toto statements in an envelope (in-toto Attestation
// Framework, spec/v1/envelope.md).
const statementType record.Type = "application/vnd.in-toto+json"

// forOthers makes the packages for Windows, on both kinds of processor, and for macOS
// into dir, of programs that are built into folders of bin.
func forOthers(ctx context.Context, win msiOptions, apple macOptions, bin, dir string) error {
	apple.out, apple.bin = dir, bin
	made, err := mac(ctx, apple)
	if err != nil {
		return err
	}
	all := []string{made}
	for _, arch := range []string{"amd64", "arm64"} {
		win.out, win.bin, win.arch = dir, bin, arch
		if made, err = msi(ctx, win); err != nil {
			return err
		}
		all = append(all, made)
	}
	for _, path := range all {
		fi, err := os.Stat(path)
		if err != nil {
			return err
		}
		fmt.Printf("made %s (%.1f MB)\n", path, float64(fi.Size())/1e6)
	}
	return nil
}

// program is one that is in a package of a release.
type program struct {
	name   string
	system string // where it runs, and the folder of bin; empty: this system, bin itself
	path   string
}

// released are the programs of a release that was built into bin.
func released(bin string) (out []program) {
	for _, p := range programs {
		out = append(out, program{p.name, "", filepath.Join(bin, p.name)})
	}
	for _, arch := range []string{"amd64", "arm64"} {
		dir := msiOptions{arch: arch, bin: bin}.built()
		for _, p := range forWindows {
			out = append(out, program{p.name + ".exe", filepath.Base(dir), filepath.Join(dir, p.name+".exe")})
		}
	}
	for _, name := range forMac {
		out = append(out, program{name, "macos", filepath.Join(bin, "macos", name)})
	}
	return out
}

// release writes, beside the packages in dir, what each is made of (CycloneDX
// 1.6), how they were made (in-toto statement with SLSA provenance 1.0), and
// their sums; with a key, the sums are signed (Ed25519 over the file's bytes),
// and so is the statement (DSSE envelope). All of it follows from the source and
// the time of it, so that another who builds the same source with the same tools
// gets the same bytes, but for the signatures.
func release(ctx context.Context, toml, bin, dir, given, keyFile string) error {
	version, err := versionOf(toml, given)
	if err != nil {
		return err
	}
	at, err := sourceTime(ctx)
	if err != nil {
		return err
	}
	sbom, err := components(bin, version, at)
	if err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(dir, sbomFile), sbom); err != nil {
		return err
	}
	subjects, err := sums(dir, sumsFile, signatureFile, provenanceFile, envelopeFile)
	if err != nil {
		return err
	}
	statement, err := provenance(ctx, subjects, version, at)
	if err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(dir, provenanceFile), statement); err != nil {
		return err
	}
	all, err := sums(dir, sumsFile, signatureFile, envelopeFile)
	if err != nil {
		return err
	}
	var text strings.Builder
	for _, s := range all {
		fmt.Fprintf(&text, "%s  %s\n", s.Digest["sha256"], s.Name)
	}
	if err := os.WriteFile(filepath.Join(dir, sumsFile), []byte(text.String()), 0o644); err != nil {
		return err
	}
	if keyFile == "" {
		fmt.Println("not signed: no -release-key was given")
		return errors.Join(os.RemoveAll(filepath.Join(dir, signatureFile)), os.RemoveAll(filepath.Join(dir, envelopeFile)))
	}
	key, err := releaseKey(keyFile)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, signatureFile), ed25519.Sign(key, []byte(text.String())), 0o644); err != nil {
		return err
	}
	envelope, err := record.Sign(key, statementType, statement)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, envelopeFile), append(envelope, '\n'), 0o644)
}

// sourceTime is the time that everything in a package has: SOURCE_DATE_EPOCH
// (reproducible-builds.org), else that of the checkout's last commit.
func sourceTime(ctx context.Context) (time.Time, error) {
	text := os.Getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		raw, err := exec.CommandContext(ctx, "git", "log", "-1", "--format=%ct").Output()
		if err != nil {
			return time.Time{}, errors.New("no SOURCE_DATE_EPOCH and no commit: packages need a time of their own")
		}
		text = strings.TrimSpace(string(raw))
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH %q is no number of seconds", text)
	}
	return time.Unix(n, 0).UTC(), nil
}

// releaseKey reads an Ed25519 key (PKCS #8, PEM).
func releaseKey(file string) (ed25519.PrivateKey, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read release key: %w", err)
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, fmt.Errorf("read release key: %s is no PEM file", file)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("read release key: %w", err)
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("read release key: it is %T, not Ed25519: openssl genpkey -algorithm ed25519", parsed)
	}
	return key, nil
}

// tools are those beside Go whose version decides the bytes: the C compilers of
// aval-ui, what packages are compressed by, and what makes those for Windows.
func tools(ctx context.Context) (object, error) {
	out := object{}
	for _, name := range []string{"gcc", "xz", "x86_64-w64-mingw32-gcc", "wixl"} {
		said, err := exec.CommandContext(ctx, name, "--version").Output()
		if err != nil {
			return nil, fmt.Errorf("ask %s for its version: %w", name, err)
		}
		out[name], _, _ = strings.Cut(string(said), "\n")
	}
	return out, nil
}

func writeJSON(path string, v any) error {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(raw, '\n'), 0o644)
}

// subject is one file, as in-toto names it.
type subject struct {
	Name   string            `json:"name"`
	Digest map[string]string `json:"digest"`
}

// sums are those of the files in dir, by name, but for some.
func sums(dir string, but ...string) ([]subject, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []subject
	for _, e := range entries {
		if !e.Type().IsRegular() || slices.Contains(but, e.Name()) {
			continue
		}
		sum, err := sumOf(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		out = append(out, subject{e.Name(), map[string]string{"sha256": sum}})
	}
	return out, nil
}

func sumOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

type object = map[string]any

// components is the bill of materials: each program with the modules that it is
// linked with, by what the linker wrote into it (debug/buildinfo), not by what
// go.mod asks for.
func components(bin, version string, at time.Time) (object, error) {
	modules := map[string]*debug.Module{}
	var list, deps []object
	var names []string
	for _, p := range released(bin) {
		info, err := buildinfo.ReadFile(p.path)
		if err != nil {
			return nil, fmt.Errorf("read what %s is made of: %w", p.path, err)
		}
		sum, err := sumOf(p.path)
		if err != nil {
			return nil, err
		}
		ref := "program:" + path.Join(p.system, p.name)
		names = append(names, ref)
		list = append(list, object{"type": "application", "bom-ref": ref, "name": p.name, "version": version,
			"hashes":     []object{{"alg": "SHA-256", "content": sum}},
			"licenses":   []object{{"license": object{"id": "Apache-2.0"}}},
			"properties": []object{{"name": "go", "value": info.GoVersion}}})
		needs := []string{}
		for _, m := range info.Deps {
			if m.Replace != nil {
				m = m.Replace
			}
			modules[purl(m)] = m
			needs = append(needs, purl(m))
		}
		slices.Sort(needs)
		deps = append(deps, object{"ref": ref, "dependsOn": needs})
	}
	var refs []string
	for ref := range modules {
		refs = append(refs, ref)
	}
	slices.Sort(refs)
	for _, ref := range refs {
		list = append(list, object{"type": "library", "bom-ref": ref, "name": modules[ref].Path, "version": modules[ref].Version, "purl": ref})
	}
	if len(refs) == 0 {
		return nil, errors.New("the programs name no modules: were they stripped of their build information?")
	}
	return object{
		"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
		"metadata": object{"timestamp": at.Format(time.RFC3339),
			"component": object{"type": "application", "bom-ref": "aval", "name": "aval", "version": version}},
		"components":   list,
		"dependencies": append([]object{{"ref": "aval", "dependsOn": names}}, deps...),
	}, nil
}

// purl names a Go module (github.com/package-url/purl-spec, type golang).
func purl(m *debug.Module) string { return "pkg:golang/" + m.Path + "@" + m.Version }

// provenance says out of which source, with which flags and by which compiler the
// files were made (slsa.dev/provenance/v1).
func provenance(ctx context.Context, subjects []subject, version string, at time.Time) (object, error) {
	commit, err := exec.CommandContext(ctx, "git", "rev-parse", "HEAD").Output()
	if err != nil {
		return nil, errors.New("there is no commit: a release is made of one")
	}
	changed, err := exec.CommandContext(ctx, "git", "status", "--porcelain").Output()
	if err != nil {
		return nil, err
	}
	others, err := tools(ctx)
	if err != nil {
		return nil, err
	}
	source := object{"uri": "git+local", "digest": object{"gitCommit": strings.TrimSpace(string(commit))}}
	if len(changed) > 0 {
		source["annotations"] = object{"changed": true} // what is built is not what is committed
	}
	return object{
		"_type": "https://in-toto.io/Statement/v1", "subject": subjects, "predicateType": "https://slsa.dev/provenance/v1",
		"predicate": object{
			"buildDefinition": object{
				"buildType":            "https://slsa.dev/provenance/v1#go-build",
				"externalParameters":   object{"version": version, "command": "make release"},
				"internalParameters":   object{"flags": object{"linux": Flags, "windows": WindowsFlags, "darwin": MacFlags}, "compiler": runtime.Version(), "target": runtime.GOOS + "/" + runtime.GOARCH, "tools": others, "epoch": at.Unix()},
				"resolvedDependencies": []object{source},
			},
			"runDetails": object{"builder": object{"id": "installer/build"}},
		},
	}, nil
}
