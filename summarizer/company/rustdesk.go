package company

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"aval/agent/record"
	"aval/agent/wire"
	"aval/summarizer/store"
)

// RustDesk is the company's choice to be told by its RustDesk clients of their
// connections. It is off until somebody switches it on.
type RustDesk struct {
	On bool `json:"on"`
	// Epoch counts how often it was switched on: addresses of before end then.
	Epoch int `json:"epoch,omitempty"`
	// Forward is the server to which everything is passed on as well, https://…;
	// empty: there is none. A client has one such server only.
	Forward string `json:"forward,omitempty"`
}

// typeRustDesk is the type of what is signed for the address of a device.
const typeRustDesk record.Type = "application/vnd.aval.rustdesk-hook.v1"

// rustDeskSecret is the part of the address that only the device was given. RustDesk
// sends nothing by which it could be known: who has the address, speaks for the device.
func (s *Service) rustDeskSecret(device string, epoch int) (string, error) {
	sig, err := record.SignBytes(s.signer(), typeRustDesk, []byte(s.id+"\x00"+device+"\x00"+strconv.Itoa(epoch)))
	if err != nil {
		return "", fmt.Errorf("make address for RustDesk: %w", err)
	}
	sum := sha256.Sum256(sig) // Ed25519: the same for ever
	return base64.RawURLEncoding.EncodeToString(sum[:24]), nil
}

// RustDeskServer is what a device's RustDesk is given as its option api-server.
func (s *Service) RustDeskServer(ctx context.Context, device string) (server string, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		c, err := tx.Company(s.id)
		if err != nil {
			return err
		}
		set := decodeSettings(c.Settings)
		if !set.RustDesk.On {
			return errors.New("it is off: company set rustdesk=on")
		}
		if keys, err := tx.DeviceKeys(s.id, device); err != nil {
			return err
		} else if len(keys) == 0 {
			return fmt.Errorf("there is no device %q", device)
		}
		secret, err := s.rustDeskSecret(device, set.RustDesk.Epoch)
		server = strings.TrimSuffix(s.server, "/") + wire.RustDeskPath + device + "/" + secret
		return err
	})
	if err != nil {
		return "", fmt.Errorf("address for RustDesk: %w", err)
	}
	return server, nil
}

// RustDeskFrom tells whether a request under such an address speaks for the
// device, and where it is to be passed on to; nothing of it may be used otherwise.
func (h *Host) RustDeskFrom(ctx context.Context, device, secret string) (ok bool, forward string, err error) {
	s, err := h.belongs(ctx, func(tx *store.Tx) (string, error) { return tx.CompanyOfDevice(device) })
	if errors.Is(err, store.ErrNotFound) {
		return false, "", nil
	}
	if err != nil {
		return false, "", err
	}
	err = s.db.View(ctx, func(tx *store.Tx) error {
		c, err := tx.Company(s.id)
		if err != nil {
			return err
		}
		set := decodeSettings(c.Settings)
		keys, err := tx.DeviceKeys(s.id, device)
		if err != nil || !set.RustDesk.On || len(keys) == 0 {
			return err
		}
		want, err := s.rustDeskSecret(device, set.RustDesk.Epoch)
		ok = err == nil && subtle.ConstantTimeCompare([]byte(want), []byte(secret)) == 1
		forward = set.RustDesk.Forward
		return err
	})
	return ok, forward, err
}

// change is what SetOptions does with the choice.
func (r *RustDesk) change(on *bool, forward *string) error {
	if on != nil {
		if *on && !r.On {
			r.Epoch++
		}
		r.On = *on
	}
	if forward != nil {
		if *forward != "" {
			u, err := url.Parse(*forward)
			if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
				return fmt.Errorf("rustdesk_forward cannot be %q: https://host, or nothing", *forward)
			}
		}
		r.Forward = strings.TrimSuffix(*forward, "/")
	}
	return nil
}
