package rig

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"strings"
	"time"

	"aval/agent/ipc"
)

// Summarizer is a running aval-summarizer.
type Summarizer struct {
	*Proc
	Data   string // its folder
	Listen string // host:port
	URL    string
	Lang   string
	More   []string // further options, from the next Restart on

	r     *Rig
	token Token // read once: the file may go when it was used
}

// Token is the enrolment token file: what a device needs to join.
type Token struct {
	Server string `json:"server"`
	Pin    string `json:"pin"` // sha256:HEX of the certificate's SubjectPublicKeyInfo
	Token  string `json:"token"`
}

// StartSummarizer starts a server on a free port of the loopback with an empty
// folder and waits until it answers.
func (r *Rig) StartSummarizer(name, lang string) (*Summarizer, error) {
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	s := &Summarizer{Data: r.Path(name), Listen: fmt.Sprintf("127.0.0.1:%d", port), Lang: lang, r: r}
	s.URL = "https://" + s.Listen
	return s, s.Restart()
}

// Restart starts the server (again) on its folder and address.
func (s *Summarizer) Restart() error {
	args := []string{"serve", "--data", s.Data, "--listen", s.Listen, "--company", "Example Support"}
	if s.Lang != "" {
		args = append(args, "--lang", s.Lang)
	}
	p, err := s.r.Start(Cmd{Name: "aval-summarizer", Path: s.r.Program("aval-summarizer"), Args: append(args, s.More...)})
	if err != nil {
		return err
	}
	s.Proc = p
	return s.r.Wait("the summarizer", 30*time.Second, func() (bool, error) {
		if p.Ended() {
			return false, fmt.Errorf("%w: it ended with status %d: %s", ErrHopeless, p.ExitCode(), p.Tail())
		}
		c, err := s.Client()
		if err != nil {
			return false, err
		}
		resp, err := c.Get(s.URL + "/readyz")
		if err != nil {
			return false, err
		}
		defer resp.Body.Close()
		return resp.StatusCode == http.StatusOK, fmt.Errorf("/readyz: %s", resp.Status)
	})
}

// FirstStart reads one of the files that the first start left for the
// administrator: admin-link or enrolment-token.
func (s *Summarizer) FirstStart(name string) (string, error) {
	raw, err := os.ReadFile(s.FirstStartFile(name))
	return strings.TrimSpace(string(raw)), err
}

// FirstStartFile is the path of such a file.
func (s *Summarizer) FirstStartFile(name string) string {
	return filepath.Join(s.Data, "first-start", name)
}

// Client speaks to the server and to nobody else: it accepts the one key that
// the enrolment token names.
func (s *Summarizer) Client() (*http.Client, error) {
	if s.token.Pin == "" {
		raw, err := s.FirstStart("enrolment-token")
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(raw), &s.token); err != nil {
			return nil, fmt.Errorf("read enrolment token: %w", err)
		}
	}
	pin := s.token.Pin
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	conf := &tls.Config{
		MinVersion: tls.VersionTLS13,
		// The chain is not looked at because the key itself is pinned below.
		InsecureSkipVerify: true,
		VerifyPeerCertificate: func(certs [][]byte, _ [][]*x509.Certificate) error {
			cert, err := x509.ParseCertificate(certs[0])
			if err != nil {
				return err
			}
			sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
			if pin != "sha256:"+hex.EncodeToString(sum[:]) {
				return errors.New("the server has another key than the enrolment token says")
			}
			return nil
		},
	}
	return &http.Client{Timeout: 10 * time.Second, Jar: jar, Transport: &http.Transport{TLSClientConfig: conf, DisableKeepAlives: true}}, nil
}

// Page signs in with the administrator's link and returns the page at path.
func (s *Summarizer) Page(c *http.Client, url string) (string, error) {
	resp, err := c.Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return string(body), fmt.Errorf("fetch %s: %s", resp.Request.URL.Path, resp.Status)
	}
	return string(body), nil
}

// JSON runs a command beside the running server and decodes what it prints.
func (s *Summarizer) JSON(into any, args ...string) error {
	res, err := s.r.Run(30*time.Second, Cmd{Name: "aval-summarizer", Path: s.r.Program("aval-summarizer"), Args: append(args, "--data", s.Data, "--json")})
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(res.Stdout), into); err != nil {
		return fmt.Errorf("aval-summarizer %s: status %d: %s%s", args[0], res.Code, res.Stdout, res.Stderr)
	}
	return nil
}

// Code makes a session code, beside the running server.
func (s *Summarizer) Code(supporter string) (code string, err error) {
	var made struct{ Code string }
	err = s.JSON(&made, "session", "code", "--supporter", supporter)
	return made.Code, err
}

// Export is what `aval-summarizer export` gives.
type Export struct {
	Sessions []ExportSession `json:"sessions"`
}

// ExportSession is one session as the company has it.
type ExportSession struct {
	ID        string          `json:"id"`
	Tool      string          `json:"tool"`
	Supporter string          `json:"supporter"`
	Events    []ExportEvent   `json:"events"`
	Summary   json.RawMessage `json:"summary"`
	// ObjectedAt is when an objection was made; empty: none was.
	ObjectedAt string `json:"objected_at"`
}

// ExportEvent is one stored event; its own fields lie beside seq, kind and at.
type ExportEvent struct {
	Seq    uint64
	Kind   string
	At     time.Time
	Fields map[string]string
}

// UnmarshalJSON implements json.Unmarshaler.
func (e *ExportEvent) UnmarshalJSON(raw []byte) error {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		return err
	}
	if err := errors.Join(json.Unmarshal(all["seq"], &e.Seq), json.Unmarshal(all["kind"], &e.Kind), json.Unmarshal(all["at"], &e.At)); err != nil {
		return fmt.Errorf("read event: %w", err)
	}
	e.Fields = map[string]string{}
	for name, v := range all {
		var text string
		if name != "kind" && name != "at" && json.Unmarshal(v, &text) == nil {
			e.Fields[name] = text
		}
	}
	return nil
}

// Export runs `aval-summarizer export`.
func (s *Summarizer) Export() (Export, error) {
	var e Export
	res, err := s.r.Run(30*time.Second, Cmd{Name: "aval-summarizer", Path: s.r.Program("aval-summarizer"), Args: []string{"export", "--data", s.Data, "--json"}})
	if err != nil {
		return e, err
	}
	if res.Code != 0 {
		return e, fmt.Errorf("aval-summarizer export: status %d: %s", res.Code, res.Stderr)
	}
	if err := json.Unmarshal([]byte(res.Stdout), &e); err != nil {
		return e, fmt.Errorf("read export: %w", err)
	}
	return e, nil
}

// HasSummary tells whether a summary was written.
func (s ExportSession) HasSummary() bool {
	t := bytes.TrimSpace(s.Summary)
	return len(t) > 0 && !bytes.Equal(t, []byte("null"))
}

// Agent is a running `aval run` with everything in folders of its own.
type Agent struct {
	*Proc
	State, Socket, Policy string
	// Tools are those whose logs it follows; empty: none.
	Tools []string
	// Welcome lets the main window open by itself, once, on a computer that no
	// company knows; else it stays out of the way.
	Welcome bool

	r   *Rig
	env []string
}

// StartAgent starts the service and waits until it answers.
func (r *Rig) StartAgent(name string, env ...string) (*Agent, error) {
	a := &Agent{State: r.Path(name), Socket: r.Path(name + ".sock"), Policy: r.Path(name + "-policy"), r: r, env: env}
	for _, d := range []string{"managed", "recommended"} {
		if err := os.MkdirAll(filepath.Join(a.Policy, d), 0o700); err != nil {
			return nil, err
		}
	}
	// The person's display is a window of another one: what is clicked on that
	// window stands for a hand.
	if err := a.SetPolicy("managed", "hands.json", `{"TestAnswerDevices": ["Xephyr virtual mouse", "Xephyr virtual keyboard"]}`); err != nil {
		return nil, err
	}
	return a, a.Restart()
}

// RunArgs are the arguments of `aval run` for this agent.
func (a *Agent) RunArgs() []string {
	// Only what a test asks for: other tests run remote tools too.
	args := []string{"run", "--state-dir", a.State, "--socket", a.Socket, "--policy-dir", a.Policy, "--tools", strings.Join(a.Tools, ",")}
	if a.r.Group != "" {
		args = append(args, "--group", a.r.Group)
	}
	return args
}

// Restart starts the service (again) on its folders.
func (a *Agent) Restart() error {
	p, err := a.r.Start(Cmd{Name: "aval", Path: a.r.Program("aval"), Args: a.RunArgs(), Env: a.r.Env(a.env...)})
	if err != nil {
		return err
	}
	a.Proc = p
	return a.r.Wait("the service", 20*time.Second, func() (bool, error) {
		if p.Ended() {
			return false, fmt.Errorf("%w: it ended with status %d: %s", ErrHopeless, p.ExitCode(), p.Tail())
		}
		res, err := a.CLI("status", "--json")
		if err != nil {
			return false, err
		}
		return res.Code == 0, fmt.Errorf("aval status: status %d: %s", res.Code, res.Stderr)
	})
}

// SetPolicy writes one policy file of the agent: managed is enforced.
func (a *Agent) SetPolicy(folder, file, text string) error {
	return os.WriteFile(filepath.Join(a.Policy, folder, file), []byte(text), 0o600)
}

// CLI runs one `aval` command against this agent.
func (a *Agent) CLI(args ...string) (Result, error) {
	return a.r.Run(60*time.Second, Cmd{Name: "aval", Path: a.r.Program("aval"), Args: append(args, "--socket", a.Socket)})
}

// Join enters a session code, on standard input.
func (a *Agent) Join(code string) (Result, error) {
	return a.r.Run(60*time.Second, Cmd{Name: "aval", Path: a.r.Program("aval"), Args: []string{"session", "join", "-", "--json", "--socket", a.Socket}, In: code + "\n"})
}

// JSON runs one `aval` command with --json and decodes what it prints.
func (a *Agent) JSON(into any, args ...string) error {
	res, err := a.CLI(append(args, "--json")...)
	if err != nil {
		return err
	}
	if res.Code != 0 {
		return fmt.Errorf("aval %s: status %d: %s%s", strings.Join(args, " "), res.Code, res.Stdout, res.Stderr)
	}
	if err := json.Unmarshal([]byte(res.Stdout), into); err != nil {
		return fmt.Errorf("aval %s: %w in %q", strings.Join(args, " "), err, res.Stdout)
	}
	return nil
}

// Consent is one row of `aval consent list --json`.
type Consent struct {
	ID         string    `json:"id"`
	Session    string    `json:"session"`
	Tool       string    `json:"tool"`
	Supporter  string    `json:"supporter"`
	Company    string    `json:"company"`
	Direction  string    `json:"direction"`
	Verdict    string    `json:"verdict"`
	Basis      string    `json:"basis"`
	Reason     string    `json:"reason"`
	Outcome    string    `json:"outcome"`
	Ending     string    `json:"ending"`
	Provenance string    `json:"provenance"`
	Test       bool      `json:"test"`
	Held       bool      `json:"held"`
	Answer     string    `json:"answer"`
	Lasts      time.Time `json:"lasts"`
	At         time.Time `json:"at"`
}

// Consents reads `aval consent list`.
func (a *Agent) Consents() ([]Consent, error) {
	var out []Consent
	return out, a.JSON(&out, "consent", "list")
}

// Sent reads `aval sent`, of one session or of all.
func (a *Agent) Sent(session ...string) ([]map[string]any, error) {
	var out []map[string]any
	return out, a.JSON(&out, append([]string{"sent"}, session...)...)
}

// Session is one row of `aval session list --json`.
type Session struct {
	Session   string   `json:"session"`
	Desktop   string   `json:"desktop"`
	Tool      string   `json:"tool"`
	Supporter string   `json:"supporter"`
	Kinds     []string `json:"kinds"`
	Verdict   string   `json:"verdict"`
	Reason    string   `json:"reason"`
	Outcome   string   `json:"outcome"`
	Recording bool     `json:"recording"`
	Why       string   `json:"why"`
	Events    uint64   `json:"events"`
}

// Sessions reads `aval session list`.
func (a *Agent) Sessions() ([]Session, error) {
	var out []Session
	return out, a.JSON(&out, "session", "list")
}

// Status is what `aval status --json` says.
type Status struct {
	Link      string `json:"link"`
	LinkError string `json:"link_error"`
	Waiting   uint64 `json:"waiting"`
	Desktops  []struct {
		Desktop string `json:"desktop"`
		Helper  bool   `json:"helper"`
	} `json:"desktops"`
	Notes []string `json:"notes"`
}

// Status reads `aval status`.
func (a *Agent) Status() (Status, error) {
	var s Status
	return s, a.JSON(&s, "status")
}

// Enroll joins the summarizer with its first enrolment token and waits for the link.
func (a *Agent) Enroll(s *Summarizer) error {
	res, err := a.CLI("enroll", "--server", s.URL, "--token-file", s.FirstStartFile("enrolment-token"))
	if err != nil {
		return err
	}
	if res.Code != 0 {
		return fmt.Errorf("aval enroll: status %d: %s%s", res.Code, res.Stdout, res.Stderr)
	}
	return a.WaitLink(30 * time.Second)
}

// WaitLink waits until the agent is connected to its summarizer.
func (a *Agent) WaitLink(limit time.Duration) error {
	return a.r.Wait("the link to the summarizer", limit, func() (bool, error) {
		st, err := a.Status()
		if err != nil {
			return false, err
		}
		return st.Link == "connected", fmt.Errorf("link is %s: %s", st.Link, st.LinkError)
	})
}

// StartDesktop starts aval-desktop on d and waits until the service knows it.
// wrap, when given, is put before the command: to run it in other surroundings.
func (a *Agent) StartDesktop(d *Display, wrap ...string) (*Proc, error) {
	if !a.Welcome {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		c, err := ipc.Dial(ctx, a.Socket, ipc.Hello{Program: "rig"})
		if err != nil {
			return nil, err
		}
		defer c.Close()
		if err := c.Call(ctx, ipc.MethodWelcome, ipc.Empty{}, nil); err != nil {
			return nil, err
		}
	}
	argv := append(wrap, a.r.Program("aval-desktop"), "--socket", a.Socket)
	env := a.r.Env("DISPLAY="+d.Name, "XDG_SESSION_TYPE=x11", "LC_MESSAGES="+a.r.Locale)
	if bus := a.r.sessionBus(); bus != "" {
		env = append(env, "DBUS_SESSION_BUS_ADDRESS="+bus)
	}
	p, err := a.r.Start(Cmd{Name: "aval-desktop", Path: argv[0], Args: argv[1:], Env: env})
	if err != nil {
		return nil, err
	}
	return p, a.WaitDesktop(d, p)
}

// WaitDesktop waits until the service knows the helper p of d: after its start, or
// the service's.
func (a *Agent) WaitDesktop(d *Display, p *Proc) error {
	return a.r.Wait("aval-desktop on "+d.Name, 20*time.Second, func() (bool, error) {
		if p.Ended() {
			return false, fmt.Errorf("%w: it ended with status %d: %s", ErrHopeless, p.ExitCode(), p.Tail())
		}
		st, err := a.Status()
		if err != nil {
			return false, err
		}
		for _, k := range st.Desktops {
			if k.Desktop == d.Name && k.Helper {
				return true, nil
			}
		}
		return false, fmt.Errorf("known desktops: %v", st.Desktops)
	})
}

// SessionID is what the hook lines below make of x11vnc's environment.
const SessionID = `"$RFB_X11VNC_PID-$RFB_CLIENT_ID-$RFB_LOGIN_TIME"`

// Hooks are the lines that tell this agent of x11vnc's clients on d. They end in
// "|| :", so that nothing that Aval says or fails to say closes the door.
func (a *Agent) Hooks(d *Display) Hooks {
	aval, socket := quote(a.r.Program("aval")), quote(a.Socket)
	return Hooks{
		Accept: aval + ` session begin --socket ` + socket + ` --tool x11vnc --id ` + SessionID +
			` --supporter "$RFB_CLIENT_IP" --desktop ` + d.Name + ` --pid "$RFB_X11VNC_PID" --hold || :`,
		Gone: aval + ` session end --socket ` + socket + ` --id ` + SessionID + ` || :`,
	}
}
