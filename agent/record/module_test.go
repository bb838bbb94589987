package record

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func testModule(key ed25519.PrivateKey) Module {
	at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	return Module{V: 1, ID: "01M", Name: "Help desk", Company: "01C", CompanyName: "Example Support", Server: "https://support.example.com:8443",
		Pin: "sha256:" + strings.Repeat("0a", 32), Key: key.Public().(ed25519.PublicKey), At: at, Expires: at.AddDate(1, 0, 0)}
}

// A module opens as it was signed, and with any byte of what was signed changed it
// does not. To see it fail, leave Open out of OpenModule.
func TestModuleChanged(t *testing.T) {
	_, key, _ := ed25519.GenerateKey(nil)
	want := testModule(key)
	raw, err := Sign(key, TypeModule, want)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := OpenModule(raw); err != nil || got.Name != want.Name || got.Server != want.Server || got.Pin != want.Pin || !got.Expires.Equal(want.Expires) {
		t.Fatalf("%+v, %v", got, err)
	}
	var env Envelope
	if err := json.Unmarshal(raw, &env); err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		e := env
		e.Payload = append([]byte(nil), env.Payload...)
		i := rapid.IntRange(0, len(e.Payload)-1).Draw(t, "at")
		e.Payload[i] ^= byte(rapid.IntRange(1, 255).Draw(t, "flip"))
		changed, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if m, err := OpenModule(changed); !errors.Is(err, ErrModuleChanged) {
			t.Fatalf("changed at %d it opens as %+v (%v)", i, m, err)
		}
	})
	// Signed by another key than it names, and another kind of record.
	_, other, _ := ed25519.GenerateKey(nil)
	foreign, _ := Sign(other, TypeModule, want)
	if _, err := OpenModule(foreign); !errors.Is(err, ErrModuleChanged) {
		t.Errorf("signed by another key: %v", err)
	}
	request, _ := Sign(key, TypeRequest, want)
	if _, err := OpenModule(request); !errors.Is(err, ErrWrongType) {
		t.Errorf("a request as module: %v", err)
	}
}

// Values that no server makes are refused, however well they are signed.
func TestModuleValues(t *testing.T) {
	_, key, _ := ed25519.GenerateKey(nil)
	for name, change := range map[string]func(*Module){
		"format": func(m *Module) { m.V = 2 }, "id": func(m *Module) { m.ID = "" }, "name": func(m *Module) { m.Name = "" },
		"company": func(m *Module) { m.Company = "" }, "long": func(m *Module) { m.CompanyName = strings.Repeat("x", 201) },
		"http": func(m *Module) { m.Server = "http://support.example.com" }, "path": func(m *Module) { m.Server += "/x" },
		"user": func(m *Module) { m.Server = "https://a@b" }, "pin": func(m *Module) { m.Pin = "sha256:00" },
		"order": func(m *Module) { m.Expires = m.At }, "for ever": func(m *Module) { m.Expires = m.At.AddDate(3, 0, 0) },
	} {
		m := testModule(key)
		change(&m)
		raw, err := Sign(key, TypeModule, m)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := OpenModule(raw); err == nil || errors.Is(err, ErrModuleChanged) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// What opens is whole: the key that it names signed it, and its values are possible.
func FuzzOpenModule(f *testing.F) {
	_, key, _ := ed25519.GenerateKey(nil)
	raw, _ := Sign(key, TypeModule, testModule(key))
	f.Add(raw)
	f.Add([]byte(`{"payloadType":"application/vnd.aval.module.v1+json","payload":"e30=","signatures":[]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := OpenModule(raw)
		if err != nil {
			return
		}
		if _, err := OpenAs(raw, OneKey(m.Key), TypeModule, &Module{}); err != nil || m.ID == "" || !strings.HasPrefix(m.Server, "https://") || !m.Expires.After(m.At) {
			t.Fatalf("%+v, %v", m, err)
		}
	})
}
