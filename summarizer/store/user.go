package store

import "time"

// User is one of a company's supporters.
type User struct {
	ID      string
	Company string
	Name    string
	// LogSessions: their sessions are to be summarised.
	LogSessions bool
	CreatedAt   time.Time
	DisabledAt  time.Time // zero: not disabled
}

const userColumns = `u.id, u.company, u.name, u.log_sessions, u.created_at, u.disabled_at`

func (u *User) into() []any {
	return []any{&u.ID, &u.Company, &u.Name, &u.LogSessions, stamp{&u.CreatedAt}, stamp{&u.DisabledAt}}
}

// InsertUser adds a user.
func (t *Tx) InsertUser(u User) error {
	_, err := t.exec(`INSERT INTO users (id, company, name, log_sessions, created_at, disabled_at) VALUES ($1, $2, $3, $4, $5, 0)`,
		u.ID, u.Company, u.Name, u.LogSessions, ns(u.CreatedAt))
	return err
}

// User returns a user, disabled or not, or ErrNotFound.
func (t *Tx) User(company, id string) (u User, err error) {
	err = t.one(`SELECT `+userColumns+` FROM users u WHERE u.company = $1 AND u.id = $2`, []any{company, id}, u.into()...)
	return u, err
}

// Users lists a company's users, oldest first.
func (t *Tx) Users(company string) (list []User, err error) {
	err = t.each(`SELECT `+userColumns+` FROM users u WHERE u.company = $1 ORDER BY u.created_at, u.id`, []any{company}, func(scan func(...any) error) error {
		var u User
		if err := scan(u.into()...); err != nil {
			return err
		}
		list = append(list, u)
		return nil
	})
	return list, err
}

// DisableUser ends what a user may do, their tokens' use too. It is idempotent.
func (t *Tx) DisableUser(company, id string, at time.Time) error {
	n, err := t.exec(`UPDATE users SET disabled_at = CASE WHEN disabled_at = 0 THEN $3 ELSE disabled_at END
		WHERE company = $1 AND id = $2`, company, id, ns(at))
	return found(n, err)
}

// InsertUserToken adds a token of a user, known by the SHA-256 of its secret.
func (t *Tx) InsertUserToken(hash []byte, user string, at time.Time) error {
	_, err := t.exec(`INSERT INTO user_tokens (hash, owner, created_at, used_at) VALUES ($1, $2, $3, 0)`, hash, user, ns(at))
	return err
}

// UserOf returns the user of a token who is not disabled, or ErrNotFound.
func (t *Tx) UserOf(company string, hash []byte) (u User, err error) {
	err = t.one(`SELECT `+userColumns+` FROM users u JOIN user_tokens k ON k.owner = u.id
		WHERE k.hash = $2 AND u.company = $1 AND u.disabled_at = 0`, []any{company, hash}, u.into()...)
	return u, err
}

// Announcement tells a computer that a user is about to connect to it.
type Announcement struct {
	ID        string
	Company   string
	Device    string
	User      string
	Envelope  []byte
	CreatedAt time.Time
	ExpiresAt time.Time
	ToldAt    time.Time
}

// InsertAnnouncement adds one.
func (t *Tx) InsertAnnouncement(a Announcement) error {
	_, err := t.exec(`INSERT INTO announcements (id, company, device, owner, envelope, created_at, expires_at, told_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 0)`,
		a.ID, a.Company, a.Device, a.User, a.Envelope, ns(a.CreatedAt), ns(a.ExpiresAt))
	return err
}

// AnnouncedDevices lists the devices, of whichever company, that have not been told of something yet.
func (t *Tx) AnnouncedDevices(now time.Time) (devices []string, err error) {
	err = t.each(`SELECT DISTINCT device FROM announcements WHERE told_at = 0 AND expires_at > $1`, []any{ns(now)},
		func(scan func(...any) error) error {
			var d string
			if err := scan(&d); err != nil {
				return err
			}
			devices = append(devices, d)
			return nil
		})
	return devices, err
}

// Announcements lists what a device has not been told yet, oldest first.
func (t *Tx) Announcements(company, device string, now time.Time) (list []Announcement, err error) {
	err = t.each(`SELECT id, envelope FROM announcements WHERE company = $1 AND device = $2 AND told_at = 0 AND expires_at > $3
		ORDER BY created_at, id`, []any{company, device, ns(now)}, func(scan func(...any) error) error {
		a := Announcement{Company: company, Device: device}
		if err := scan(&a.ID, &a.Envelope); err != nil {
			return err
		}
		list = append(list, a)
		return nil
	})
	return list, err
}

// ToldOf notes that a device has an announcement.
func (t *Tx) ToldOf(company, device, id string, at time.Time) error {
	_, err := t.exec(`UPDATE announcements SET told_at = $4 WHERE company = $1 AND device = $2 AND id = $3 AND told_at = 0`, company, device, id, ns(at))
	return err
}

// Told tells when a device had an announcement; zero: not yet.
func (t *Tx) Told(company, id string) (at time.Time, err error) {
	err = t.one(`SELECT told_at FROM announcements WHERE company = $1 AND id = $2`, []any{company, id}, stamp{&at})
	return at, err
}

// DropAnnouncements forgets those that expired before a time.
func (t *Tx) DropAnnouncements(company string, before time.Time) error {
	_, err := t.exec(`DELETE FROM announcements WHERE company = $1 AND expires_at < $2`, company, ns(before))
	return err
}
