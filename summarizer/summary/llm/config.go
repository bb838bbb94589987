package llm

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"time"

	"aval/agent/consent"
	"aval/agent/strict"
)

// Config says how one model is reached.
type Config struct {
	// URL is the base address, https://HOST/v1; what ends in /chat/completions is
	// used as it is, with its query (Azure's deployments).
	URL string `json:"url"`
	// Model is the model's name at its server.
	Model string `json:"model"`
	// Header carries the key; empty: Authorization, as a bearer token. Azure has api-key.
	Header string `json:"header,omitempty"`
	// Key is a secret: it is in no JSON, log or error.
	Key string `json:"-"`
	// Timeout bounds one call; 0: DefaultTimeout.
	Timeout time.Duration `json:"-"`
	// Input is how many bytes of events are sent at most; 0: DefaultInput.
	Input int `json:"-"`
}

// maxModel is the longest name of a model, in characters.
const maxModel = 60

var (
	modelName  = regexp.MustCompile(`^[A-Za-z0-9@][A-Za-z0-9@._:/+-]*$`)
	headerName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,63}$`)
)

// What Check refuses.
var (
	ErrAddress = errors.New("the model's address is not one like https://llm.example.com/v1")
	ErrModel   = errors.New("the model's name is 1 to 60 letters, digits and . _ : / + - @")
	ErrHeader  = errors.New("the name of the key's header is letters, digits and -")
	ErrKey     = errors.New("the key is not one line of plain characters")
)

// Check completes the configuration and refuses what cannot work. Whether the
// server may speak to the host is another question.
func (c *Config) Check() error {
	c.URL, c.Model, c.Header, c.Key = strings.TrimSpace(c.URL), strings.TrimSpace(c.Model), strings.TrimSpace(c.Header), strings.TrimSpace(c.Key)
	u, err := url.Parse(c.URL)
	switch {
	case err != nil || len(c.URL) > 500 || u.Scheme != "https" && u.Scheme != "http" || u.Opaque != "":
		return ErrAddress
	case u.User != nil || u.Fragment != "":
		return fmt.Errorf("%w: leave user, password and # out of it", ErrAddress)
	case !strict.Host(strings.ToLower(u.Host)):
		return fmt.Errorf("%w: its host is no plain name or address", ErrAddress)
	case len(c.Model) > maxModel || !modelName.MatchString(c.Model):
		return ErrModel
	case c.Header != "" && !headerName.MatchString(c.Header):
		return ErrHeader
	case len(c.Key) > 4096 || strings.ContainsFunc(c.Key, func(r rune) bool { return r <= ' ' || r > '~' }):
		return ErrKey
	case c.Timeout < 0 || c.Timeout > MaxTimeout:
		return fmt.Errorf("a call may take up to %s", MaxTimeout)
	case c.Input != 0 && (c.Input < MinInput || c.Input > MaxInput):
		return fmt.Errorf("what is sent is from %d to %d bytes", MinInput, MaxInput)
	}
	c.Timeout, c.Input = cmp.Or(c.Timeout, DefaultTimeout), cmp.Or(c.Input, DefaultInput)
	return nil
}

// Here tells whether the model runs on this very server.
func (c Config) Here() bool {
	u, err := url.Parse(c.URL)
	return err == nil && here(u.Hostname())
}

func here(host string) bool {
	a, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && a.Unmap().IsLoopback()
}

// Name is the engine as people are told it: the model, and whose server reads
// what was recorded.
func (c Config) Name() string {
	u, err := url.Parse(c.URL)
	if err != nil {
		return ""
	}
	host, port := strings.ToLower(u.Hostname()), u.Port()
	switch {
	case here(host):
		return consent.Engine(c.Model, consent.EngineHere)
	case port != "" && port != map[string]string{"https": "443", "http": "80"}[u.Scheme]:
		host = net.JoinHostPort(host, port)
	case strings.Contains(host, ":"):
		host = "[" + host + "]"
	}
	return consent.Engine(c.Model, host)
}

// target is the address that is posted to.
func (c Config) target() string {
	u, err := url.Parse(c.URL)
	if err != nil {
		return c.URL
	}
	if !strings.HasSuffix(u.Path, "/chat/completions") {
		u.Path = strings.TrimRight(u.Path, "/") + "/chat/completions"
	}
	return u.String()
}
