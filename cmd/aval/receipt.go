package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"aval/agent/ipc"
	"aval/agent/record"
	"aval/assets"
	"aval/cmd/internal/command"
)

func (a *app) consentReceipt() *cobra.Command {
	var out, lang string
	cmd := &cobra.Command{
		Use: "receipt ID", Short: "Make a receipt of a decision: a page to read, or with --json one that can be checked",
		Long: `Makes a receipt out of the signed record of a decision and of the objection,
withdrawal or erasure that followed it. ID is a record's id, or a session: then
its newest record. Without --json it is a page to read. With --json it is
JSON-LD with the fields of ISO/IEC TS 27560 and carries the signed records, so
that "aval consent verify" can check it anywhere.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if lang != "" && !slices.Contains(assets.Langs(), lang) {
				return usageError{fmt.Errorf("there is no language %q: %s", lang, strings.Join(assets.Langs(), ", "))}
			}
			r, err := a.receiptOf(cmd, args[0])
			if err != nil {
				return err
			}
			text := []byte(r.Page(catalog(lang)))
			if a.json {
				if text, err = r.JSON(); err != nil {
					return err
				}
			}
			if out == "" || out == "-" {
				_, err = a.out.Write(text)
				return err
			}
			if err := writeNew(out, text); err != nil {
				return fmt.Errorf("write receipt: %w", err)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "write to this file, which must not exist, instead of standard output")
	cmd.Flags().StringVar(&lang, "lang", "", "language of the page: "+strings.Join(assets.Langs(), " or ")+"; default: that of the environment")
	return cmd
}

// catalog is that of lang, or of the one who runs the command.
func catalog(lang string) *assets.Catalog {
	if lang != "" {
		return assets.For(lang)
	}
	return assets.For(assets.Locale())
}

// receiptOf asks the service for the records and verifies what it answers.
func (a *app) receiptOf(cmd *cobra.Command, id string) (record.Receipt, error) {
	c, err := a.dial(cmd.Context())
	if err != nil {
		return record.Receipt{}, err
	}
	defer c.Close()
	var s ipc.ConsentShow
	if err := c.Call(cmd.Context(), ipc.MethodConsentShow, ipc.ByID{ID: id}, &s); err != nil {
		return record.Receipt{}, err
	}
	if len(s.Envelope) == 0 {
		return record.Receipt{}, &ipc.Error{Code: ipc.CodeFailed, Message: "the question of this session is still open", Hint: "there is a receipt once it has ended"}
	}
	records := [][]byte{s.Envelope}
	for _, raw := range s.Later {
		records = append(records, raw)
	}
	r, err := record.NewReceipt(c.HelloResult().DeviceKey, records...)
	if err != nil {
		return r, fmt.Errorf("make receipt of %s: %w", s.ID, err)
	}
	var sum ipc.Summary
	if err := c.Call(cmd.Context(), ipc.MethodConsentSummary, ipc.ByID{ID: s.ID}, &sum); err != nil {
		return r, nil // who has read it is no part of the records
	}
	return r.WithReads((*record.Reads)(sum.Reads)), nil
}

// writeNew writes a new file that its owner alone may read: receipts name people.
func writeNew(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

// checked is what consent verify found.
type checked struct {
	Valid     bool        `json:"valid"`
	What      string      `json:"what"` // receipt or envelope
	Problem   string      `json:"problem,omitempty"`
	Record    string      `json:"record,omitempty"`
	Type      record.Type `json:"type,omitempty"`
	Session   string      `json:"session,omitempty"`
	Outcome   string      `json:"outcome,omitempty"`
	Basis     string      `json:"basis,omitempty"`
	SHA256    string      `json:"sha256,omitempty"`
	KeyID     string      `json:"key_id,omitempty"`
	KeyFrom   string      `json:"key_from,omitempty"` // receipt or given
	Follows   *bool       `json:"follows,omitempty"`  // the decision follows from the recorded facts
	Proven    []string    `json:"proven,omitempty"`
	NotProven []string    `json:"not_proven,omitempty"`
}

func (a *app) consentVerify() *cobra.Command {
	var keyText string
	cmd := &cobra.Command{
		Use: "verify FILE [--key KEY]", Short: "Check a receipt or a signed record; needs no service and no server",
		Long: `Checks a receipt (aval consent receipt --json) or a signed record (aval consent
show --raw): signature, body, hashes, and that the receipt says what its records
say. FILE - reads standard input. Exit code 0: valid, 1: not.

A receipt brings its key along, which shows that it is whole, not whose it is:
compare the key's id with that of the computer (aval status there, or what the
company's server has: aval-summarizer verify), or give the key you trust with
--key. A signed record alone
always needs --key. KEY is the public key in hex or base64, or a file with it.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			var key ed25519.PublicKey
			if keyText != "" {
				var err error
				if key, err = readKey(keyText); err != nil {
					return usageError{err}
				}
			}
			raw, err := a.readInput(args[0])
			if err != nil {
				return fmt.Errorf("read receipt: %w", err)
			}
			v, err := check(raw, key)
			if errors.As(err, &usageError{}) {
				return err
			}
			if perr := a.print(v, func(w io.Writer) { v.text(w) }); perr != nil {
				return perr
			}
			if err != nil {
				return fmt.Errorf("%s is not valid: %w", args[0], err)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&keyText, "key", "", "the public key to trust: hex, base64, or a file with either")
	return cmd
}

func (a *app) readInput(path string) ([]byte, error) {
	return command.ReadFile(path, a.in, record.MaxReceipt)
}

// check verifies a receipt or a bare envelope.
func check(raw []byte, key ed25519.PublicKey) (checked, error) {
	var bare struct {
		Type json.RawMessage `json:"payloadType"`
	}
	v := checked{What: "receipt", KeyFrom: "receipt"}
	if json.Unmarshal(raw, &bare) == nil && bare.Type != nil {
		v.What = "envelope"
	}
	if key != nil {
		v.KeyFrom = "given"
	}
	var r record.Receipt
	var err error
	switch {
	case v.What == "receipt":
		r, err = record.OpenReceipt(raw, key)
	case key == nil:
		return v, usageError{errors.New("a signed record brings no key along: give the computer's key with --key")}
	default:
		r, err = record.NewReceipt(key, raw)
	}
	if err != nil {
		return checked{What: v.What, Problem: err.Error()}, err
	}
	v.Valid, v.Record, v.Type, v.Session, v.SHA256, v.KeyID = true, r.ID(), r.Type(), r.Session(), r.SHA256(), r.KeyID()
	v.Outcome, v.Basis = string(r.Outcome()), string(r.Basis())
	v.Proven = []string{"the records are whole: not one byte was changed since they were signed"}
	if v.What == "receipt" {
		v.Proven = append(v.Proven, "the receipt says what its records say, and nothing else")
	}
	if v.KeyFrom == "given" {
		v.Proven = append(v.Proven, "the key that you gave signed them")
	} else {
		v.NotProven = append(v.NotProven, "whose key it is: the receipt brought it along; compare its id with \"aval status\" on that computer or with what the company's server has (aval-summarizer verify), or use --key")
	}
	if ok, known := r.Follows(); known {
		v.Follows = &ok
		switch {
		case ok && r.Narrowed() != "":
			v.Proven = append(v.Proven, "this version's table would have let it be asked or recorded, and the record names why it was denied: "+string(r.Narrowed()))
		case ok:
			v.Proven = append(v.Proven, "the decision is what this version's table says of the recorded facts")
		default:
			v.NotProven = append(v.NotProven, "that the decision follows from the recorded facts: this version's table decides otherwise")
		}
	}
	if len(r.Basis()) > 0 {
		v.NotProven = append(v.NotProven, "that nothing was withdrawn later: a receipt knows only what it carries")
	}
	v.NotProven = append(v.NotProven, "that the computer's clock was right", "who a person was, beyond the recorded provenance")
	return v, nil
}

func (v checked) text(w io.Writer) {
	if !v.Valid {
		fmt.Fprintf(w, "NOT VALID: do not rely on this %s.\n  %s\n", v.What, command.Printable(v.Problem))
		return
	}
	fmt.Fprintf(w, "VALID %s\n", v.What)
	fmt.Fprintf(w, "  record   %s (%s)\n", command.Printable(v.Record), v.Type)
	what := v.Outcome
	if v.Basis != "" {
		what += ", basis: " + v.Basis
	}
	fmt.Fprintf(w, "  session  %s: %s\n", command.Printable(v.Session), what)
	fmt.Fprintf(w, "  sha256   %s\n  key      %s\n", v.SHA256, v.KeyID)
	fmt.Fprintln(w, "Proven:")
	for _, s := range v.Proven {
		fmt.Fprintln(w, "  +", s)
	}
	fmt.Fprintln(w, "Not proven:")
	for _, s := range v.NotProven {
		fmt.Fprintln(w, "  -", s)
	}
}

// readKey reads an Ed25519 public key: hex, base64, or a file with either or
// with the 32 bytes themselves.
func readKey(s string) (ed25519.PublicKey, error) {
	if k := keyFrom(s); k != nil {
		return k, nil
	}
	raw, err := readSmall(s)
	if err != nil {
		return nil, fmt.Errorf("--key is no key in hex or base64 and no readable file: %w", err)
	}
	if len(raw) == ed25519.PublicKeySize {
		return raw, nil
	}
	if k := keyFrom(string(bytes.TrimSpace(raw))); k != nil {
		return k, nil
	}
	return nil, fmt.Errorf("%s holds no Ed25519 public key: 32 bytes, in hex or base64", s)
}

func keyFrom(s string) ed25519.PublicKey {
	if k, err := hex.DecodeString(s); err == nil && len(k) == ed25519.PublicKeySize {
		return k
	}
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if k, err := enc.DecodeString(s); err == nil && len(k) == ed25519.PublicKeySize {
			return k
		}
	}
	return nil
}
