package integration

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"aval/summarizer/store"
)

// KeyFile is the file, below the data folder, of the key that seals secrets: 32
// random bytes. Who has the database alone cannot read them.
const KeyFile = "keys/integrations.key"

// Secrets are an endpoint's; which it has depends on its kind.
type Secrets struct {
	Webhook    string    `json:"webhook,omitempty"` // whsec_…
	OldWebhook string    `json:"old_webhook,omitempty"`
	OldUntil   time.Time `json:"old_until,omitzero"`
	Client     string    `json:"client,omitempty"` // OAuth's client secret
	Key        string    `json:"key,omitempty"`    // RSA, PKCS #8 in PEM, signs OAuth's assertions
}

func (s Secrets) names() (list []string) {
	for _, n := range []struct{ name, value string }{{"secret", s.Webhook}, {"client_secret", s.Client}, {"private_key", s.Key}} {
		if n.value != "" {
			list = append(list, n.name)
		}
	}
	return list
}

// sealer seals with AES-256-GCM; the place of the sealed secret is bound to it.
type sealer struct{ aead cipher.AEAD }

func openSealer(dir string) (*sealer, error) {
	file := filepath.Join(dir, KeyFile)
	key, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		key, err = newKey(file)
	}
	if err != nil {
		return nil, fmt.Errorf("open key of integrations: %w", err)
	}
	if len(key) != 32 {
		return nil, fmt.Errorf("the key of the integrations' secrets %s is damaged: put it back from a backup, or move it away and enter the secrets anew", file)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("open key of integrations: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	return &sealer{aead}, err
}

// Seal seals what must not lie open in the store; place is bound to it.
func (h *Hub) Seal(raw []byte, place string) []byte {
	nonce := make([]byte, h.seal.aead.NonceSize())
	rand.Read(nonce)
	return h.seal.aead.Seal(nonce, nonce, raw, []byte(place))
}

// Unseal opens what Seal sealed for the same place.
func (h *Hub) Unseal(sealed []byte, place string) ([]byte, error) {
	n := h.seal.aead.NonceSize()
	if len(sealed) < n {
		return nil, errUnsealed
	}
	raw, err := h.seal.aead.Open(nil, sealed[:n], sealed[n:], []byte(place))
	if err != nil {
		return nil, errUnsealed
	}
	return raw, nil
}

var errUnsealed = errors.New("what is sealed cannot be read with this server's key: put the key back from a backup, or enter it anew")

// newKey makes the key once: of two programs that start together both have the
// one whose link came first.
func newKey(file string) ([]byte, error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, err
	}
	key := make([]byte, 32)
	rand.Read(key)
	f, err := os.CreateTemp(filepath.Dir(file), ".new-*") // made 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(key)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, err
	}
	if err := os.Link(f.Name(), file); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return os.ReadFile(file)
}

func (h *Hub) lock(v Secrets, place string) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("seal secrets: %w", err)
	}
	return h.Seal(raw, "secrets/"+place), nil
}

func (h *Hub) open(e store.Endpoint) (v Secrets, err error) {
	raw, err := h.Unseal(e.Secrets, "secrets/"+e.Company+"/"+e.ID)
	if err != nil {
		return v, err
	}
	return v, json.Unmarshal(raw, &v)
}
