package company

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
)

// errSealed: something sealed is not of this company's key, or was changed.
var errSealed = errors.New("what was sealed cannot be opened")

// seal hides a secret that must be read again: AES-256-GCM under a key that
// follows from the company's; what says what it is for and must be the same again.
func (s *Service) seal(what string, secret []byte) ([]byte, error) {
	a, err := s.aead(what)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, a.NonceSize())
	_, _ = rand.Read(nonce) // never fails, see crypto/rand
	return a.Seal(nonce, nonce, secret, []byte(s.id)), nil
}

// unseal opens what seal made.
func (s *Service) unseal(what string, sealed []byte) ([]byte, error) {
	a, err := s.aead(what)
	if err != nil {
		return nil, err
	}
	if len(sealed) < a.NonceSize() {
		return nil, errSealed
	}
	out, err := a.Open(nil, sealed[:a.NonceSize()], sealed[a.NonceSize():], []byte(s.id))
	if err != nil {
		return nil, errSealed
	}
	return out, nil
}

func (s *Service) aead(what string) (cipher.AEAD, error) {
	b, err := aes.NewCipher(s.keyed("seal", what))
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(b)
}
