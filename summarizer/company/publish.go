package company

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"aval/agent/policy"
	"aval/agent/record"
	"aval/summarizer/store"
)

// Draft is what the release key signs to have a policy's draft published: the
// body of a release, without its times.
func (s *Service) Draft(ctx context.Context, name string) (r record.Release, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		p, err := s.named(tx, name)
		if err != nil {
			return err
		}
		c, err := tx.Company(s.id)
		if err != nil {
			return err
		}
		set := decodeSettings(c.Settings)
		r = record.Release{V: 1, Company: s.id, Policy: p.ID, Name: p.Name, Version: p.Version + 1,
			Incoming: set.Incoming, IncomingEnforced: set.IncomingEnforced}
		r.Settings, err = decodeDraft(p.Draft)
		return err
	})
	if err != nil {
		return record.Release{}, fmt.Errorf("draft policy: %w", err)
	}
	return r, nil
}

// SignRelease signs a draft with the company's release key.
func SignRelease(key ed25519.PrivateKey, draft record.Release, now time.Time, life time.Duration) ([]byte, error) {
	draft.At, draft.Expires = now.UTC(), now.Add(life).UTC()
	env, err := record.Sign(key, record.TypeRelease, draft)
	if err == nil {
		_, _, err = record.OpenRelease(env, key.Public().(ed25519.PublicKey))
	}
	if err != nil {
		return nil, fmt.Errorf("sign release: %w", err)
	}
	return env, nil
}

// PublishPolicy makes a policy's draft its next version and gives it to the
// devices. Where the company has a release key of its own, values that can allow
// without a question need release, signed with it over exactly this draft.
func (s *Service) PublishPolicy(ctx context.Context, name string, release []byte) (version int64, err error) {
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		p, err := s.named(tx, name)
		if err != nil {
			return err
		}
		version, err = s.publish(tx, p, release, 0)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("publish policy: %w", err)
	}
	return version, nil
}

// ErrRelease: what is to be published can allow without a question and needs the
// company's release key.
var ErrRelease = errors.New("it needs the company's release key: aval-summarizer policy draft, then policy sign --key F, then publish --signed FILE")

// published is a policy's version as the history keeps it.
type published struct {
	Version  int64           `json:"version"`
	Settings json.RawMessage `json:"settings"`
}

// publish makes a policy's draft its next version.
func (s *Service) publish(tx *store.Tx, p store.Policy, release []byte, undoes int64) (version int64, err error) {
	c, err := tx.Company(s.id)
	if err != nil {
		return 0, err
	}
	version = p.Version + 1
	draft, err := decodeDraft(p.Draft)
	if err != nil {
		return 0, err
	}
	values, problems := policy.ParseSettings(p.Name, draft)
	if len(problems) > 0 {
		return 0, &Invalid{problems}
	}
	set := decodeSettings(c.Settings)
	if loose := policy.Loosens(values); len(set.ReleaseKey) > 0 && len(loose) > 0 && release == nil {
		return 0, fmt.Errorf("%s = %s can allow without a question: %w", loose[0].Name, loose[0], ErrRelease)
	}
	if release != nil {
		if err := checkRelease(release, set.ReleaseKey, p, version, s.id, s.now()); err != nil {
			return 0, err
		}
	}
	var before *published
	if p.Version > 0 {
		v, err := tx.PolicyVersion(s.id, p.ID, p.Version)
		if err != nil {
			return 0, err
		}
		before = &published{v.Version, json.RawMessage(v.Settings)}
	}
	v := store.PolicyVersion{Policy: p.ID, Version: version, Settings: p.Draft, Release: release, PublishedAt: s.now()}
	if err := tx.PublishPolicy(s.id, v); err != nil {
		return 0, err
	}
	if err := s.note(tx, entry{ChangePublished, "policy-published", p.ID, p.Name, before, published{version, json.RawMessage(p.Draft)}, undoes}); err != nil {
		return 0, err
	}
	return version, s.changed(tx)
}

// undoPublished publishes the settings of before once more, as a new version:
// versions only go up.
func (s *Service) undoPublished(tx *store.Tx, c store.Change) error {
	var was, is published
	if err := errors.Join(json.Unmarshal([]byte(c.Old), &was), json.Unmarshal([]byte(c.New), &is)); err != nil {
		return fmt.Errorf("read change: %w", err)
	}
	p, err := tx.Policy(s.id, c.Subject)
	if err != nil {
		return err
	}
	if p.Deleted || p.Version != is.Version || p.Draft != string(is.Settings) {
		return ErrChangedSince
	}
	if err := s.draft(tx, p, string(was.Settings), c.Number); err != nil {
		return err
	}
	p.Draft = string(was.Settings)
	_, err = s.publish(tx, p, nil, c.Number)
	return err
}

// Version is one published version of a policy.
type Version struct {
	Version     int64            `json:"version"`
	PublishedAt time.Time        `json:"published_at"`
	Settings    []policy.Setting `json:"settings"`
	Released    bool             `json:"released"` // with the company's release key
}

// PolicyVersions lists a policy's last published versions, newest first.
func (s *Service) PolicyVersions(ctx context.Context, name string, limit int) (out []Version, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		p, err := s.named(tx, name)
		if err != nil {
			return err
		}
		list, err := tx.PolicyVersions(s.id, p.ID, limit)
		for _, v := range list {
			settings, err := decodeDraft(v.Settings)
			if err != nil {
				return err
			}
			out = append(out, Version{v.Version, v.PublishedAt, settings, len(v.Release) > 0})
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list versions: %w", err)
	}
	return out, nil
}

// ErrReleaseFile: a signed file does not release this draft.
var ErrReleaseFile = errors.New("the signed file does not release this draft")

// checkRelease holds a release against the draft that is to be published.
func checkRelease(envelope []byte, key ed25519.PublicKey, p store.Policy, version int64, company string, now time.Time) error {
	if len(key) == 0 {
		return wrongIs(ErrReleaseFile, "this company has no release key of its own: aval-summarizer policy release-key")
	}
	r, _, err := record.OpenRelease(envelope, key)
	if err != nil {
		return wrongIs(ErrReleaseFile, "the signed file does not hold: %v", err)
	}
	settings, err := json.Marshal(r.Settings)
	if err != nil {
		return err
	}
	switch {
	case r.Company != company || r.Policy != p.ID || r.Version != version:
		return wrongIs(ErrReleaseFile, "the signed file is of policy %q version %d", r.Name, r.Version)
	case !bytes.Equal(settings, []byte(p.Draft)):
		return wrongIs(ErrReleaseFile, "the draft has changed since it was signed: make a new draft and have it signed")
	case !now.Before(r.Expires):
		return wrongIs(ErrReleaseFile, "the signed file has expired")
	}
	return nil
}

// SetReleaseKey makes a key that is kept elsewhere the company's release key. It
// is pinned by devices that are enrolled from now on; the others keep what they
// have. nil: the server's own key again.
func (s *Service) SetReleaseKey(ctx context.Context, key ed25519.PublicKey) error {
	if len(key) != 0 && len(key) != ed25519.PublicKeySize {
		return fmt.Errorf("set release key: it has %d bytes, not %d", len(key), ed25519.PublicKeySize)
	}
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		c, err := tx.Company(s.id)
		if err != nil {
			return err
		}
		set := decodeSettings(c.Settings)
		before := keyName(set.ReleaseKey)
		set.ReleaseKey = key
		c.Settings = set.encode()
		if err := tx.UpdateCompany(c); err != nil {
			return err
		}
		return s.note(tx, entry{kind: ChangeReleaseKey, action: "release-key-set", subject: keyName(key), old: before, new: keyName(key)})
	})
	if err != nil {
		return fmt.Errorf("set release key: %w", err)
	}
	return nil
}

// keyName is the id of a release key; server where it is the server's own.
func keyName(key ed25519.PublicKey) string {
	if len(key) == 0 {
		return "server"
	}
	return record.KeyID(key)
}
