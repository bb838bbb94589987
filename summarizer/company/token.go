package company

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"aval/agent/wire"
	"aval/summarizer/store"
)

// linkLife is how long an administrator link can be used.
const linkLife = 24 * time.Hour

// SignInPath is where an administrator link leads, with the secret as "token".
const SignInPath = "/sign-in"

// Secrets begin with a word that scanners for leaked secrets can look for.
const (
	enrolPrefix = "aval_enrol_"
	linkPrefix  = "aval_admin_"
)

func newSecret(prefix string) string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails, see crypto/rand
	return prefix + base64.RawURLEncoding.EncodeToString(b)
}

// Hash is how a secret is kept: its SHA-256. The secrets have 256 random bits,
// so a slow hash would add nothing.
func Hash(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// NewAdminLink makes a link that signs one browser in to the console, once.
func (s *Service) NewAdminLink(ctx context.Context) (string, error) {
	if s.server == "" {
		return "", errors.New("make link: the server's address is not known; start the server once")
	}
	secret, now := newSecret(linkPrefix), s.now()
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.InsertAdminLink(store.Token{Hash: Hash(secret), Company: s.id, CreatedAt: now, ExpiresAt: now.Add(linkLife)}); err != nil {
			return err
		}
		return s.audit(tx, "admin-link-created", "", "")
	})
	if err != nil {
		return "", fmt.Errorf("make link: %w", err)
	}
	return s.server + SignInPath + "?token=" + secret, nil
}

// FirstStart names the files that begin a set-up; an empty name says that this
// step has been taken.
type FirstStart struct {
	LinkFile  string // DATA/first-start/admin-link: one line, the link
	Link      string
	TokenFile string // DATA/first-start/enrolment-token: a wire.TokenFile
}

// completeFirstStart keeps a usable link and token in DATA/first-start until
// somebody has signed in and a device has enrolled: a set-up that is taken up
// again after days must not be at a dead end.
func (s *Service) completeFirstStart(ctx context.Context) (*FirstStart, error) {
	if s.server == "" {
		return nil, nil
	}
	dir := s.dir("first-start")
	f := &FirstStart{LinkFile: filepath.Join(dir, "admin-link"), TokenFile: filepath.Join(dir, "enrolment-token")}
	link, err := readSmall(f.LinkFile)
	if err != nil {
		return nil, err
	}
	tok, err := readSmall(f.TokenFile)
	if err != nil {
		return nil, err
	}
	f.Link = strings.TrimSpace(string(link))
	_, secret, _ := strings.Cut(f.Link, "?token=")
	var kept wire.TokenFile
	if json.Unmarshal(tok, &kept) != nil {
		kept = wire.TokenFile{}
	}
	var signedIn, liveLink, enrolled, liveToken bool
	err = s.db.View(ctx, func(tx *store.Tx) (err error) {
		if signedIn, err = tx.AdminSignedIn(s.id); err != nil {
			return err
		}
		company, err := tx.LiveAdminLink(Hash(secret), s.now())
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		liveLink = err == nil && company == s.id
		if enrolled, err = tx.HasDevices(s.id); err != nil {
			return err
		}
		t, err := tx.EnrolToken(Hash(kept.Token))
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		liveToken = t.Used == 0 && t.RevokedAt.IsZero() && t.ExpiresAt.After(s.now()) && kept.Server == s.server && kept.Pin == s.Pin()
		return err
	})
	if err != nil {
		return nil, err
	}
	switch {
	case signedIn:
		err = remove(f.LinkFile)
		f.LinkFile, f.Link = "", ""
	case !liveLink || !strings.HasPrefix(f.Link, s.server+SignInPath):
		if f.Link, err = s.NewAdminLink(ctx); err == nil {
			err = writeFile(f.LinkFile, []byte(f.Link+"\n"))
		}
	}
	if err != nil {
		return nil, err
	}
	switch {
	case enrolled:
		err = remove(f.TokenFile)
		f.TokenFile = ""
	case !liveToken:
		var file wire.TokenFile
		if file, _, err = s.CreateEnrolToken(ctx, NewEnrolToken{}); err == nil {
			err = writeFile(f.TokenFile, EncodeTokenFile(file))
		}
	}
	if err != nil {
		return nil, err
	}
	if f.LinkFile == "" && f.TokenFile == "" {
		return nil, nil
	}
	return f, nil
}

// EncodeTokenFile is a token file's text.
func EncodeTokenFile(f wire.TokenFile) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	if err := e.Encode(f); err != nil { // strings always encode
		panic(err)
	}
	return b.Bytes()
}

func readSmall(file string) ([]byte, error) {
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

func remove(file string) error {
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
