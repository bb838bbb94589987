package main

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"aval/agent/record"
)

// TestRelease: the sums fit the files, the signature the sums, and the bill of
// materials names modules that the programs are linked with; made twice, all is
// the same. Fault planted once: the time of now in the bill.
func TestRelease(t *testing.T) {
	t.Chdir("../..")
	t.Setenv("SOURCE_DATE_EPOCH", "1000000000")
	bin, dir := t.TempDir(), t.TempDir()
	if err := build(context.Background(), "FyneApp.toml", bin, "aval", ""); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(bin, "aval"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range released(bin) { // any program of ours will do for the others
		if err := os.MkdirAll(filepath.Dir(p.path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p.path, raw, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "aval_1.deb"), []byte("package"), 0o644); err != nil {
		t.Fatal(err)
	}
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	keyFile := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	made := func() map[string]string {
		t.Helper()
		if err := release(context.Background(), "FyneApp.toml", bin, dir, "1.2.3", keyFile); err != nil {
			t.Fatal(err)
		}
		out := map[string]string{}
		for _, n := range []string{sumsFile, signatureFile, sbomFile, provenanceFile, envelopeFile} {
			raw, err := os.ReadFile(filepath.Join(dir, n))
			if err != nil {
				t.Fatal(err)
			}
			out[n] = string(raw)
		}
		return out
	}
	first := made()
	for n, text := range made() {
		if text != first[n] {
			t.Errorf("%s is another when it is made again", n)
		}
	}
	cmd := exec.Command("sha256sum", "--check", "--strict", sumsFile)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil || strings.Count(string(out), ": OK") != 3 {
		t.Errorf("%v: %s", err, out)
	}
	if !ed25519.Verify(pub, []byte(first[sumsFile]), []byte(first[signatureFile])) {
		t.Error("the signature does not fit")
	}
	typ, payload, _, err := record.Open([]byte(first[envelopeFile]), record.OneKey(pub))
	var signed, beside any
	if err != nil || typ != statementType || json.Unmarshal(payload, &signed) != nil || json.Unmarshal([]byte(first[provenanceFile]), &beside) != nil || !reflect.DeepEqual(signed, beside) {
		t.Errorf("the signed statement is not the one beside it: %s, %v", typ, err)
	}
	var bom struct {
		BomFormat, SpecVersion string
		Components             []struct{ Type, Name, Version, Purl string }
	}
	if err := json.Unmarshal([]byte(first[sbomFile]), &bom); err != nil || bom.BomFormat != "CycloneDX" {
		t.Fatalf("%v: %+v", err, bom)
	}
	found := map[string]bool{}
	for _, c := range bom.Components {
		found[c.Type+" "+c.Name] = c.Version != ""
	}
	for _, want := range []string{"application aval", "application aval-ui", "application aval-ui.exe", "library go.etcd.io/bbolt", "library github.com/spf13/cobra"} {
		if !found[want] {
			t.Errorf("%s is not in it", want)
		}
	}
	if err := release(context.Background(), "FyneApp.toml", t.TempDir(), dir, "1.2.3", ""); err == nil {
		t.Error("programs that are not there were described")
	}
}
