package company

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"aval/agent/record"
	"aval/summarizer/store"
)

// AnnounceLife is how long an announced session may begin.
const AnnounceLife = 10 * time.Minute

// ErrNoDevice: an announcement names a computer that the company does not know.
var ErrNoDevice = errors.New("there is no such computer; its Aval ID stands in its main window and in aval status")

// Announced is an announcement as its maker sees it.
type Announced struct {
	ID        string    `json:"id"`
	Device    string    `json:"device"`
	Supporter string    `json:"supporter"`
	ExpiresAt time.Time `json:"expires_at"`
	// Delivered: the computer has it.
	Delivered bool `json:"delivered"`
}

// Announce tells an enrolled computer, signed, that a supporter is about to
// connect. It reaches the computer within seconds where that is connected. The
// computer tells its person that the company vouches for the name, and the user's own
// switch decides whether anything is asked: so who may not change users announces
// nobody but themselves, and gets ErrNoUser for anybody else.
func (s *Service) Announce(ctx context.Context, user, device string) (Announced, error) {
	now := s.now()
	out := Announced{ID: store.NewID(now), Device: strings.ToUpper(strings.TrimSpace(device)), ExpiresAt: now.Add(AnnounceLife).UTC()}
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		if !s.SpeaksFor(user) {
			return ErrNoUser
		}
		u, err := s.liveUser(tx, user)
		if err != nil {
			return err
		}
		d, err := tx.Device(s.id, out.Device)
		if errors.Is(err, store.ErrNotFound) || err == nil && (d.Code != "" || !d.RevokedAt.IsZero()) {
			return ErrNoDevice
		}
		if err != nil {
			return err
		}
		c, err := tx.Company(s.id)
		if err != nil {
			return err
		}
		set := decodeSettings(c.Settings).asking()
		out.Supporter = u.Name
		env, err := record.Sign(s.signer(), record.TypeRequest, record.Request{V: 1, ID: out.ID, Company: s.id, Device: d.ID, At: now.UTC(),
			Expires: out.ExpiresAt, CompanyName: c.Name, Supporter: u.Name, LogSessions: u.LogSessions, Outgoing: set.Outgoing,
			Engine: set.Engine, RetentionDays: set.RetentionDays, Readers: set.Readers})
		if err != nil {
			return err
		}
		if err := tx.DropAnnouncements(s.id, now.Add(-AnnounceLife)); err != nil {
			return err
		}
		if err := tx.InsertAnnouncement(store.Announcement{ID: out.ID, Company: s.id, Device: d.ID, User: u.ID, Envelope: env, CreatedAt: now, ExpiresAt: out.ExpiresAt}); err != nil {
			return err
		}
		return s.audit(tx, "session-announced", d.ID, u.ID+" "+out.ID)
	})
	if err != nil {
		return Announced{}, fmt.Errorf("announce session: %w", err)
	}
	return out, nil
}

// SpeaksFor tells whether whoever acts may do something in the name of a user:
// people in their own, and in everybody's who may change users. No user: in any.
func (s *Service) SpeaksFor(user string) bool {
	return s.actor.Kind != KindUser || s.actor.ID == user || s.actor.Role.May(UsersWrite)
}

// Delivered tells whether the computer has an announcement.
func (s *Service) Delivered(ctx context.Context, id string) (bool, error) {
	var at time.Time
	err := s.db.View(ctx, func(tx *store.Tx) (err error) { at, err = tx.Told(s.id, id); return err })
	return !at.IsZero(), err
}
