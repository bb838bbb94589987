package rig

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gorilla/websocket"
)

// meshCache is where test/deps.sh puts MeshCentral, below the user's cache.
const meshCache = "aval-test/meshcentral-1.1.55"

// ErrUnreachable says that MeshCentral could not be fetched, and why.
var ErrUnreachable = errors.New("MeshCentral could not be fetched")

// needMesh finds MeshCentral.
func needMesh() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, meshCache)
	if why, err := os.ReadFile(dir + ".unreachable"); err == nil {
		return "", fmt.Errorf("%w: %s", ErrUnreachable, bytes.TrimSpace(why))
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "meshcentral", "meshcentral.js")); err != nil {
		return "", fmt.Errorf("MeshCentral is not installed: run test/deps.sh e2e: %w", err)
	}
	return filepath.Join(dir, "node_modules", "meshcentral"), Need("node")
}

// Mesh is a real MeshCentral server and its agent on this computer.
type Mesh struct {
	Server, Agent *Proc

	r           *Rig
	program     string // MeshCentral's folder
	data, agent string
	host        string
	cert        []byte            // of the server, as it is
	passwords   map[string]string // by user
	node        string
	owner       string // the user that the device group belongs to
}

// Kinds of connection, by their numbers (meshcentral 1.1.55, agents/meshcore.js).
const (
	MeshTerminal = 1
	MeshDesktop  = 2
	MeshFiles    = 5
)

// StartMesh starts a server with accounts of these names on a free port of the
// loopback, and an agent that shows d and that all of them may use.
func (r *Rig) StartMesh(d *Display, users ...string) (*Mesh, error) {
	program, err := needMesh()
	if err != nil {
		return nil, err
	}
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	m := &Mesh{r: r, program: program, data: r.Path("mesh"), agent: r.Path("meshagent"), host: fmt.Sprintf("127.0.0.1:%d", port), passwords: map[string]string{}, owner: users[0]}
	for _, dir := range []string{m.data, m.agent} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return nil, err
		}
	}
	// agentTimeStampServer: or it asks a public server for the time.
	conf := fmt.Sprintf(`{"settings":{"cert":"127.0.0.1","port":%d,"portBind":"127.0.0.1","redirPort":0,"mpsPort":0,"exactPorts":true,
		"WANonly":true,"selfUpdate":false,"agentTimeStampServer":false},"domains":{"":{"newAccounts":false}}}`, port)
	if err := os.WriteFile(filepath.Join(m.data, "config.json"), []byte(conf), 0o600); err != nil {
		return nil, err
	}
	for _, u := range users {
		m.passwords[u] = "x-" + rand.Text()
		for _, args := range [][]string{{"--createaccount", u, "--pass", m.passwords[u]}, {"--adminaccount", u}} {
			if res, err := r.Run(60*time.Second, Cmd{Name: "meshcentral", Path: "node", Args: m.args(args...)}); err != nil || res.Code != 0 {
				return nil, fmt.Errorf("make an account of MeshCentral: %w: %s%s", err, res.Stdout, res.Stderr)
			}
		}
	}
	if m.Server, err = r.Start(Cmd{Name: "meshcentral", Path: "node", Args: m.args()}); err != nil {
		return nil, err
	}
	if err := r.Wait("MeshCentral", 120*time.Second, m.answers); err != nil {
		return nil, err
	}
	if err := m.install(users); err != nil {
		return nil, fmt.Errorf("set up the mesh agent: %w", err)
	}
	return m, m.StartAgent(d)
}

func (m *Mesh) args(more ...string) []string {
	return append([]string{m.program, "--datapath", m.data, "--filespath", m.r.Path("mesh-files")}, more...)
}

// answers reads the server's own certificate, once it has made one, and asks it.
func (m *Mesh) answers() (bool, error) {
	if m.Server.Ended() {
		return false, fmt.Errorf("%w: it ended: %s", ErrHopeless, m.Server.Tail())
	}
	raw, err := os.ReadFile(filepath.Join(m.data, "webserver-cert-public.crt"))
	if err != nil {
		return false, err
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return false, errors.New("no certificate yet")
	}
	m.cert = block.Bytes
	_, err = m.get("/")
	return err == nil, err
}

// tls speaks with that server alone: its certificate is pinned, since it has no
// name that could be checked.
func (m *Mesh) tls() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true, VerifyPeerCertificate: func(certs [][]byte, _ [][]*x509.Certificate) error {
		if len(certs) == 0 || !bytes.Equal(certs[0], m.cert) {
			return errors.New("another server's certificate")
		}
		return nil
	}}
}

func (m *Mesh) get(path string) ([]byte, error) {
	c := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: m.tls(), DisableKeepAlives: true}}
	resp, err := c.Get("https://" + m.host + path)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	return body, err
}

// meshControl is a signed-in user's connection with the server.
type meshControl struct {
	ws *websocket.Conn
}

func (m *Mesh) dial(user, path string) (*websocket.Conn, error) {
	d := websocket.Dialer{TLSClientConfig: m.tls(), HandshakeTimeout: 20 * time.Second}
	b64 := base64.StdEncoding.EncodeToString
	ws, resp, err := d.Dial("wss://"+m.host+path, http.Header{"X-Meshauth": {b64([]byte(user)) + "," + b64([]byte(m.passwords[user]))}})
	if resp != nil {
		resp.Body.Close()
	}
	return ws, err
}

// ask sends a message and waits for the answer: action is what it answers to.
func (c *meshControl) ask(message map[string]any, action string, fits func(map[string]any) bool) (map[string]any, error) {
	if err := c.ws.WriteJSON(message); err != nil {
		return nil, err
	}
	if err := c.ws.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return nil, err
	}
	for {
		var got map[string]any
		if err := c.ws.ReadJSON(&got); err != nil {
			return nil, fmt.Errorf("wait for %s: %w", action, err)
		}
		if got["action"] == action && (fits == nil || fits(got)) {
			return got, nil
		}
	}
}

// install makes a device group, lets the users in, and lays out the agent.
func (m *Mesh) install(users []string) error {
	ws, err := m.dial(m.owner, "/control.ashx")
	if err != nil {
		return err
	}
	defer ws.Close()
	c := &meshControl{ws}
	made, err := c.ask(map[string]any{"action": "createmesh", "meshname": "lab", "meshtype": 2, "responseid": "aval"}, "createmesh", func(a map[string]any) bool { return a["meshid"] != nil })
	if err != nil {
		return err
	}
	group, _ := made["meshid"].(string)
	for _, u := range users[1:] {
		if _, err := c.ask(map[string]any{"action": "addmeshuser", "meshid": group, "usernames": []string{u}, "meshadmin": 0xffffffff, "responseid": "aval"}, "addmeshuser", nil); err != nil {
			return err
		}
	}
	settings, err := m.get("/meshsettings?id=" + url.QueryEscape(strings.TrimPrefix(group, "mesh//")))
	if err != nil {
		return err
	}
	name, ok := map[string]string{"amd64": "meshagent_x86-64", "arm64": "meshagent_aarch64"}[runtime.GOARCH]
	if !ok {
		return fmt.Errorf("there is no agent for %s here", runtime.GOARCH)
	}
	program, err := os.ReadFile(filepath.Join(m.program, "agents", name))
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(filepath.Join(m.agent, "meshagent.msh"), settings, 0o600), os.WriteFile(filepath.Join(m.agent, "meshagent"), program, 0o700))
}

// KillAgent ends the agent with all that it has started, as the system does with a
// service. A terminal's programs hold its sockets and the lock of its database, and
// outlive it where another of its processes holds the terminal's other end.
func (m *Mesh) KillAgent() {
	of := parents()
	var mine func(pid int) []int
	mine = func(pid int) (all []int) {
		for child, parent := range of {
			if parent == pid {
				all = append(append(all, child), mine(child)...)
			}
		}
		return all
	}
	left := mine(m.Agent.PID)
	m.Agent.Kill()
	for _, pid := range left {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// StartAgent starts the agent (again) and waits until the server has it.
func (m *Mesh) StartAgent(d *Display) error {
	if m.Agent != nil { // the server may take a moment to see that the one before is gone
		if err := m.r.Wait("the mesh agent to be gone", 3*time.Minute, func() (bool, error) {
			node, err := m.connected()
			return node == "" && err == nil, err
		}); err != nil {
			return err
		}
		if err := os.Remove(filepath.Join(m.agent, "DAIPC")); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	p, err := m.r.Start(Cmd{Name: "meshagent", Path: "/bin/sh", Args: []string{"-c", "cd " + quote(m.agent) + " && exec ./meshagent connect"}, Env: m.r.Env("DISPLAY=" + d.Name)})
	if err != nil {
		return err
	}
	m.Agent = p
	return m.r.Wait("the mesh agent", 60*time.Second, func() (bool, error) {
		if p.Ended() {
			return false, fmt.Errorf("%w: it ended: %s", ErrHopeless, p.Tail())
		}
		node, err := m.connected()
		if node == "" || err != nil {
			return false, err
		}
		m.node = node
		_, err = os.Stat(filepath.Join(m.agent, "DAIPC")) // its program has begun
		return err == nil, err
	})
}

// connected is the computer whose agent the server says is connected; empty: none.
func (m *Mesh) connected() (string, error) {
	ws, err := m.dial(m.owner, "/control.ashx")
	if err != nil {
		return "", err
	}
	defer ws.Close()
	c := &meshControl{ws}
	got, err := c.ask(map[string]any{"action": "nodes"}, "nodes", nil)
	if err != nil {
		return "", err
	}
	groups, _ := got["nodes"].(map[string]any)
	for _, g := range groups {
		nodes, _ := g.([]any)
		for _, n := range nodes {
			node, _ := n.(map[string]any)
			if conn, _ := node["conn"].(float64); int(conn)&1 != 0 { // by its agent
				id, _ := node["_id"].(string)
				return id, nil
			}
		}
	}
	return "", nil
}

// MeshViewer is somebody who is connected through MeshCentral.
type MeshViewer struct {
	control, tunnel *websocket.Conn
	pictures        atomic.Int64 // bytes of the desktop
	mu              sync.Mutex
	text            bytes.Buffer // guarded by mu: of the terminal
	done            chan struct{}
}

// View connects as a user's browser does: a tunnel of one kind through the server.
func (m *Mesh) View(user string, kind int) (*MeshViewer, error) {
	control, err := m.dial(user, "/control.ashx")
	if err != nil {
		return nil, fmt.Errorf("sign in to MeshCentral: %w", err)
	}
	c := &meshControl{control}
	cookies, err := c.ask(map[string]any{"action": "authcookie"}, "authcookie", nil)
	if err != nil {
		control.Close()
		return nil, err
	}
	relay := fmt.Sprintf("/meshrelay.ashx?p=%d&nodeid=%s&id=%s", kind, url.QueryEscape(m.node), strings.ToLower(rand.Text()[:12]))
	tell := map[string]any{"action": "msg", "nodeid": m.node, "type": "tunnel", "usage": kind, "value": fmt.Sprintf("*%s&rauth=%v", relay, cookies["rcookie"]), "responseid": "aval"}
	if err := control.WriteJSON(tell); err != nil {
		control.Close()
		return nil, err
	}
	v := &MeshViewer{control: control, done: make(chan struct{})}
	if v.tunnel, err = m.dial(user, relay+fmt.Sprintf("&browser=1&auth=%v", cookies["cookie"])); err != nil {
		control.Close()
		return nil, fmt.Errorf("open a tunnel: %w", err)
	}
	go v.drain(control)
	if err := v.tunnel.SetReadDeadline(time.Now().Add(60 * time.Second)); err != nil {
		return nil, errors.Join(err, v.Leave())
	}
	for joined := false; !joined; { // "c", or "cr" where the server records
		_, b, err := v.tunnel.ReadMessage()
		if err != nil {
			return nil, errors.Join(fmt.Errorf("wait for the agent in the tunnel: %w", err), v.Leave())
		}
		joined = string(b) == "c" || string(b) == "cr"
	}
	if err := v.tunnel.WriteMessage(websocket.TextMessage, fmt.Append(nil, kind)); err != nil {
		return nil, errors.Join(err, v.Leave())
	}
	if err := v.tunnel.SetReadDeadline(time.Time{}); err != nil {
		return nil, errors.Join(err, v.Leave())
	}
	go v.take()
	if kind == MeshDesktop { // not paused; all of the picture
		for _, b := range [][]byte{{0, 8, 0, 5, 0}, {0, 6, 0, 4}} {
			if err := v.tunnel.WriteMessage(websocket.BinaryMessage, b); err != nil {
				return nil, errors.Join(err, v.Leave())
			}
		}
	}
	return v, nil
}

// drain reads what nobody needs, so that the connection lives.
func (v *MeshViewer) drain(ws *websocket.Conn) {
	for {
		if _, _, err := ws.NextReader(); err != nil {
			return
		}
	}
}

func (v *MeshViewer) take() {
	defer close(v.done)
	for {
		_, b, err := v.tunnel.ReadMessage()
		if err != nil {
			return
		}
		v.mu.Lock()
		if v.text.Len() < 1<<20 && !json.Valid(b) {
			v.text.Write(b)
		}
		v.mu.Unlock()
		v.pictures.Add(int64(len(b)))
	}
}

// Received is how many bytes have come through the tunnel.
func (v *MeshViewer) Received() int64 { return v.pictures.Load() }

// Said is what the terminal has shown.
func (v *MeshViewer) Said() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.text.String()
}

// Type types into the terminal.
func (v *MeshViewer) Type(text string) error {
	return v.tunnel.WriteMessage(websocket.BinaryMessage, []byte(text))
}

// Closed is closed when the tunnel has ended.
func (v *MeshViewer) Closed() <-chan struct{} { return v.done }

// Leave closes the tunnel, as closing the browser does.
func (v *MeshViewer) Leave() error {
	return errors.Join(v.tunnel.Close(), v.control.Close())
}
