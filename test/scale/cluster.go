package scale

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"text/template"
	"time"

	"aval/summarizer/company"
	"aval/summarizer/store"
	"aval/summarizer/store/storetest"
)

// patience bounds what must come to pass on a busy computer.
const patience = 3 * time.Minute

// Node is one server of the cluster.
type Node struct {
	Name, Dir, Address string
	// Bin is its program; empty: the cluster's.
	Bin  string
	cmd  *exec.Cmd
	died chan error
}

// Cluster is the servers, their database and the balancer.
type Cluster struct {
	Dir     string
	Bin     string // the summarizer
	DB      *storetest.Postgres
	Nodes   []*Node
	Address string // of the balancer
	proxy   *Node
	client  *http.Client
}

// insecure: who a server of the test is, is not what is looked at here. Each user
// takes a clone: a transport that knows HTTP/2 writes into what it is given.
var insecure = &tls.Config{InsecureSkipVerify: true}

// freePort is an address that was free a moment ago.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// balancer is HAProxy's configuration: TLS goes through it untouched, for the
// proof of a device is bound to the connection; it asks each server whether it is
// ready, so that one that stops gets no new connections. docs/scaling.md shows the
// same.
var balancer = template.Must(template.New("").Parse(`global
  maxconn 9000
defaults
  mode tcp
  timeout connect 2s
  timeout client 3m
  timeout server 3m
  retries 3
  option redispatch
frontend aval
  bind {{.Address}}
  default_backend servers
backend servers
  balance leastconn
  option httpchk
  http-check send meth GET uri /readyz ver HTTP/1.1 hdr Host localhost
  default-server check check-ssl verify none inter 500ms fall 2 rise 1
{{range .Nodes}}  server {{.Name}} {{.Address}}
{{end}}`))

// NewCluster builds the summarizer and starts n servers, the balancer and the
// database. Close ends them.
func NewCluster(dir string, n int) (_ *Cluster, err error) {
	c := &Cluster{Dir: dir, Bin: filepath.Join(dir, "aval-summarizer")}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	if err := build(c.Bin); err != nil {
		return nil, err
	}
	if c.DB, err = storetest.StartPostgres("max_connections=200", "shared_buffers=128MB"); err != nil {
		return nil, err
	}
	if err := c.DB.Create("aval", "template0"); err != nil {
		return nil, err
	}
	if c.Address, err = freePort(); err != nil {
		return nil, err
	}
	for i := range n {
		node := &Node{Name: fmt.Sprintf("s%d", i+1)}
		node.Dir = filepath.Join(dir, node.Name)
		if node.Address, err = freePort(); err != nil {
			return nil, err
		}
		if i > 0 { // what an administrator does for each further server
			if err := copyFile(filepath.Join(c.Nodes[0].Dir, company.ServerKey), filepath.Join(node.Dir, company.ServerKey)); err != nil {
				return nil, err
			}
		}
		c.Nodes = append(c.Nodes, node)
		if err := c.Start(node); err != nil {
			return nil, err
		}
	}
	c.client = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		TLSClientConfig: insecure.Clone(), DisableKeepAlives: true}} // each page a connection of its own: any server
	var conf bytes.Buffer
	if err := balancer.Execute(&conf, c); err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "haproxy.cfg")
	if err := os.WriteFile(file, conf.Bytes(), 0o600); err != nil {
		return nil, err
	}
	haproxy, err := exec.LookPath("haproxy")
	if err != nil {
		haproxy = "/usr/sbin/haproxy"
	}
	c.proxy = &Node{Name: "haproxy", Dir: dir}
	if err := c.proxy.run(exec.Command(haproxy, "-db", "-f", file)); err != nil {
		return nil, fmt.Errorf("haproxy (test/deps.sh test installs it): %w", err)
	}
	if err := c.wait("the balancer", func() bool { return len(c.proxy.died) > 0 || c.ready(c.Address) }); err != nil {
		return nil, err
	}
	if len(c.proxy.died) > 0 {
		said, _ := os.ReadFile(filepath.Join(dir, c.proxy.Name+".log"))
		return nil, fmt.Errorf("haproxy ended: %s", said)
	}
	return c, nil
}

// build builds the summarizer with more flags.
func build(bin string, flags ...string) error {
	args := append([]string{"build", "-trimpath", "-buildvcs=false", "-o", bin}, flags...)
	if out, err := exec.Command("go", append(args, "aval/cmd/aval-summarizer")...).CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w: %s", err, out)
	}
	return nil
}

func copyFile(from, to string) error {
	raw, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return errors.Join(os.MkdirAll(filepath.Dir(to), 0o700), os.WriteFile(to, raw, 0o600))
}

// run starts a process that ends with this one; what it says goes to DIR/NAME.log.
func (n *Node) run(cmd *exec.Cmd) error {
	log, err := os.OpenFile(filepath.Join(n.Dir, n.Name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	n.cmd, n.died = cmd, make(chan error, 1)
	if err := cmd.Start(); err != nil {
		n.cmd = nil
		return err
	}
	go func(died chan error) { died <- cmd.Wait() }(n.died)
	return nil
}

// Start starts a server and waits until it is ready.
func (c *Cluster) Start(n *Node) error {
	if err := os.MkdirAll(n.Dir, 0o700); err != nil {
		return err
	}
	if err := n.run(c.serve(n)); err != nil {
		return err
	}
	return c.wait("server "+n.Name, func() bool { return c.ready(n.Address) })
}

// serve is the server as a process that has not begun.
func (c *Cluster) serve(n *Node) *exec.Cmd {
	bin := n.Bin
	if bin == "" {
		bin = c.Bin
	}
	return exec.Command(bin, "serve", "--data", n.Dir, "--listen", n.Address, "--url", "https://"+c.Address,
		"--database", c.DB.Address("aval"), "--metrics", "127.0.0.1:0", "--json")
}

// Stop ends a server as told: SIGKILL, or SIGTERM, after which it lets go of its
// agents in order.
func (n *Node) Stop(how syscall.Signal) {
	if n == nil || n.cmd == nil {
		return
	}
	_ = n.cmd.Process.Signal(how)
	<-n.died
	n.cmd = nil
}

// Close ends everything.
func (c *Cluster) Close() {
	c.proxy.Stop(syscall.SIGKILL)
	for _, n := range c.Nodes {
		n.Stop(syscall.SIGKILL)
	}
	if c.DB != nil {
		c.DB.Stop()
	}
}

func (c *Cluster) ready(address string) bool {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: insecure.Clone(), DisableKeepAlives: true}}
	res, err := client.Get("https://" + address + "/readyz")
	if err != nil {
		return false
	}
	return errors.Join(res.Body.Close()) == nil && res.StatusCode == http.StatusOK
}

func (c *Cluster) wait(what string, ok func() bool) error {
	for end := time.Now().Add(patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			var said strings.Builder
			for _, n := range c.Nodes {
				raw, _ := os.ReadFile(filepath.Join(n.Dir, n.Name+".log"))
				fmt.Fprintf(&said, "\n%s: %s", n.Name, raw[max(0, len(raw)-1000):])
			}
			return fmt.Errorf("%s: not within %s%s", what, patience, said.String())
		}
	}
	return nil
}

// Store opens the database as a command beside the servers does.
func (c *Cluster) Store(ctx context.Context) (*store.DB, error) {
	return store.OpenBeside(ctx, c.Nodes[0].Dir)
}
