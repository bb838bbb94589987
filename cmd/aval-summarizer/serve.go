package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"aval/agent/wire"
	"aval/assets"
	"aval/summarizer/api"
	"aval/summarizer/api/rest"
	"aval/summarizer/company"
	"aval/summarizer/console"
	"aval/summarizer/credit"
	"aval/summarizer/ingest"
	"aval/summarizer/integration"
	"aval/summarizer/store"
	"aval/summarizer/summary/llm"
)

// stopWithin is how long requests may take to end when the server stops.
const stopWithin = 10 * time.Second

type serveFlags struct {
	listen, url, company, lang string
	metrics, traces            string
	cert, key                  string
	allow                      []string
	model                      modelFlags
}

func (a *app) serveCmd() *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use: "serve --data DIR [--listen ADDR]", Short: "Run the server",
		Long: `Runs the server until it is told to stop (Ctrl+C or SIGTERM). At its first start
it makes a company, a certificate of its own, a link to sign in to the console
and a token that enrols one computer, and says what to do next.

Data is kept in the data folder, or with --database in PostgreSQL; the folder then
holds keys, the certificate and, in the file "database" that only its owner can
read, the address, which is not needed again. A password is better left out of
the command line, where other users of the computer can see it: write the file
"database" yourself, or name a password file with PGPASSFILE.

Summaries are written by rules, and nothing leaves the server, unless --llm-url
names a language model (docs/llm.md). People are told of it before they allow a
session, and sessions that were allowed before that are written by rules.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.needData(); err != nil {
				return err
			}
			return a.serve(cmd.Context(), f)
		},
	}
	a.dataFlag(cmd)
	cmd.Flags().StringVar(&f.listen, "listen", "127.0.0.1:8443", "address and port to listen on")
	cmd.Flags().StringVar(&f.metrics, "metrics", "", "address and port on which Prometheus may read /metrics, without TLS, for example 127.0.0.1:9464 (default: nowhere)")
	cmd.Flags().StringVar(&f.traces, "traces", "", "collector that traces are sent to by OTLP over HTTP, for example http://127.0.0.1:4318 (default: the one in OTEL_EXPORTER_OTLP_ENDPOINT, else nowhere)")
	cmd.Flags().StringVar(&f.url, "url", "", "address under which computers reach this server, https://HOST:PORT (default: made from --listen; of several servers on one database: what the first was given)")
	cmd.Flags().StringVar(&f.cert, "cert", "", "certificate of an authority (PEM, the whole chain); read again when it is renewed (default: one of its own)")
	cmd.Flags().StringVar(&f.key, "key", "", "the key of --cert (PEM)")
	cmd.MarkFlagsRequiredTogether("cert", "key")
	cmd.Flags().StringArrayVar(&f.allow, "allow-host", nil, "a host (HOST or HOST:PORT) inside of the own network that webhooks, integrations and companies' language models may name; several times for several")
	f.model.add(cmd)
	cmd.Flags().StringVar(&f.company, "company", "", `the company's name, at the first start (default "My company")`)
	cmd.Flags().StringVar(&f.lang, "lang", "", "language of the summaries, at the first start: "+strings.Join(assets.LangsOf("summary"), " or ")+" (default en)")
	return cmd
}

// server is what runs.
type server struct {
	db      *store.DB
	co      *company.Host
	ingest  *ingest.Server
	hub     *integration.Hub
	models  *llm.Pool
	api     *rest.Server
	traces  *api.Traces
	health  *api.Health
	http    *http.Server
	listen  net.Listener
	scrape  net.Listener // of metrics; nil: not asked for
	metrics *http.Server
	workers sync.WaitGroup
}

func (a *app) serve(ctx context.Context, f serveFlags) error {
	s, err := a.start(ctx, f)
	if err != nil {
		return err
	}
	defer s.db.Close()
	defer s.listen.Close()
	if err := a.greet(ctx, s); err != nil {
		return err
	}

	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	s.workers.Go(func() { _ = a.newRunner(s).Run(work) }) // ends with its context, without an error
	s.workers.Go(func() { _ = s.hub.Run(work) })
	s.workers.Go(func() { s.co.Retain(work) })
	failed := make(chan error, 1)
	go func() { failed <- s.http.ServeTLS(ingest.Listen(s.listen), "", "") }()

	select {
	case err = <-failed:
	case <-ctx.Done():
		err = nil
		if !a.json {
			fmt.Fprintln(a.out, "Stopping; what was acknowledged is stored.")
		}
	}
	s.health.Drain()
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	// Agents first: their connections are taken over and unknown to the server.
	errIngest := s.ingest.Close()
	errHTTP := s.http.Shutdown(end)
	stopWork()
	s.workers.Wait()
	if s.metrics != nil {
		_ = s.metrics.Close()
	}
	if err := s.traces.Close(end); err != nil { // what was served was served
		a.log.Warn(err.Error())
	}
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, errIngest, errHTTP)
}

// start opens everything that the server needs, the port first: a port in use
// must not leave a half-made data folder behind.
func (a *app) start(ctx context.Context, f serveFlags) (*server, error) {
	if f.lang != "" {
		var err error
		if f.lang, err = knownLang(f.lang); err != nil {
			return nil, err
		}
	}
	model, err := f.model.config()
	if err != nil {
		return nil, err
	}
	if f.model.others() {
		a.log.Warn("the model's key can be read by other users of this computer", "file", f.model.keyFile)
	}
	s := &server{}
	if s.models, err = newPool(f.allow); err != nil {
		return nil, usageError{err}
	}
	if s.listen, err = listen(f.listen); err != nil {
		return nil, err
	}
	if f.metrics != "" {
		if s.scrape, err = listen(f.metrics); err != nil {
			return nil, errors.Join(fmt.Errorf("--metrics: %w", err), s.listen.Close())
		}
	}
	a.log = slog.New(api.LogTraces(a.log.Handler()))
	if s.traces, err = api.NewTraces(ctx, f.traces, version, a.log); err != nil {
		return nil, errors.Join(usageError{err}, s.listen.Close())
	}
	if s.db, err = store.Open(ctx, a.data, store.Database(a.database)); err != nil {
		return nil, errors.Join(err, s.listen.Close())
	}
	if err := credit.LoadRules(a.data); err != nil {
		return nil, errors.Join(err, s.db.Close(), s.listen.Close())
	}
	if err := s.db.Remember(); err != nil {
		return nil, errors.Join(err, s.db.Close(), s.listen.Close())
	}
	s.co, err = company.Open(ctx, s.db, company.Options{Name: f.company, Lang: f.lang, Server: strings.TrimSuffix(f.url, "/"),
		Fallback: "https://" + reachable(s.listen.Addr()), CertFile: f.cert, KeyFile: f.key, Model: model, Log: a.log})
	if err != nil {
		return nil, errors.Join(err, s.db.Close(), s.listen.Close())
	}
	if s.hub, err = integration.New(s.db, integration.Options{Allow: f.allow, Server: s.co.Server(), Log: a.log, Tracer: s.traces.Tracer()}); err != nil {
		return nil, errors.Join(err, s.db.Close(), s.listen.Close())
	}
	if s.api, err = rest.New(s.db, rest.Options{Host: s.co, Hub: s.hub, Log: a.log}); err != nil {
		return nil, errors.Join(err, s.db.Close(), s.listen.Close())
	}
	if err := s.co.Share(ctx); err != nil { // keys that were made since
		return nil, errors.Join(err, s.db.Close(), s.listen.Close())
	}
	s.ingest = ingest.New(s.db, s.co, ingest.Options{Log: a.log, Build: version, Tracer: s.traces.Tracer()})
	s.health = api.NewHealth(s.db, version)
	handler := s.traces.Handle(a.routes(s))
	if s.scrape != nil {
		m := api.NewMetrics(s.db, s.ingest, version)
		m.Also(s.models.WriteMetrics)
		handler = m.Count(handler)
		a.serveMetrics(s, m)
	}
	s.http = &http.Server{
		Handler:           handler,
		TLSConfig:         s.co.TLS(),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		// What reaches this log is mostly browsers that do not know our certificate.
		ErrorLog: log.New(debugWriter{a.log}, "", 0),
	}
	return s, nil
}

// serveMetrics answers Prometheus, on a port of its own: what it reads is not for
// everybody who may reach the console.
func (a *app) serveMetrics(s *server, m *api.Metrics) {
	if tcp, ok := s.scrape.Addr().(*net.TCPAddr); ok && !tcp.IP.IsLoopback() {
		a.log.Warn("metrics can be read from other computers, without a password", "address", s.scrape.Addr().String())
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m)
	s.metrics = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: time.Minute}
	go func() { _ = s.metrics.Serve(s.scrape) }() // ends with Close
}

// knownLang finds the catalogue that is meant: pt, pt_BR and PT-br are pt-BR. An
// unknown language is an error and not silently English.
func knownLang(lang string) (string, error) {
	norm := strings.ToLower(strings.ReplaceAll(lang, "_", "-"))
	for _, l := range assets.LangsOf("summary") {
		if base, _, _ := strings.Cut(strings.ToLower(l), "-"); norm == strings.ToLower(l) || norm == base {
			return l, nil
		}
	}
	return "", usageError{fmt.Errorf("--lang %s: there are %s", lang, strings.Join(assets.LangsOf("summary"), " and "))}
}

// debugWriter lets the lines of net/http's own log show at debug level.
type debugWriter struct{ log *slog.Logger }

func (d debugWriter) Write(p []byte) (int, error) {
	d.log.Debug("http server", "line", strings.TrimSpace(string(p)))
	return len(p), nil
}

func (a *app) routes(s *server) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(wire.AgentPath, s.ingest)
	mux.Handle(wire.EnrollPath, s.co.Enroll())
	mux.Handle(wire.LeavePath, s.co.Leave())
	mux.Handle(wire.RustDeskPath, s.ingest.RustDesk())
	mux.Handle(wire.RedeemPath, s.co.Redeem())
	mux.Handle(wire.SignInPath, s.co.SignInStart())
	mux.Handle(wire.AccountPath, s.co.SignInWait())
	mux.Handle(wire.ModulePath, s.co.Module())
	mux.Handle(wire.OpenPath, s.co.Open())
	mux.Handle(wire.OpenedPath, s.co.Opened())
	mux.Handle(api.Root, s.api)
	mux.HandleFunc("GET /healthz", s.health.Live)
	mux.HandleFunc("GET /readyz", s.health.Ready)
	mux.Handle("/", console.New(s.db, console.Options{Log: a.log, Host: s.co, Hub: s.hub, Models: s.models, Enrol: func() string { return a.enrolWith(s.co) }}))
	return mux
}

// enrolWith tells how a computer is enrolled: with the token of the first start
// while it can be used, else with a new one.
func (a *app) enrolWith(co *company.Host) string {
	if first := co.First(); first != nil && first.TokenFile != "" {
		st, err := os.Stat(first.TokenFile)
		abs, errAbs := filepath.Abs(first.TokenFile)
		if err == nil && errAbs == nil && time.Since(st.ModTime()) < company.TokenLife {
			return "aval enroll --token-file " + quoteArg(abs)
		}
	}
	data := a.data
	if abs, err := filepath.Abs(data); err == nil {
		data = abs
	}
	return "aval-summarizer token create --data " + quoteArg(data) + " --out token.json\naval enroll --token-file token.json"
}

// listen opens the port, and says in words why it cannot.
func listen(addr string) (net.Listener, error) {
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return nil, usageError{fmt.Errorf("--listen %s is not HOST:PORT", addr)}
	}
	l, err := net.Listen("tcp", addr)
	const wsaAddrInUse = syscall.Errno(10048) // Windows has its own number for it
	var unknown *net.DNSError
	var wrong *net.AddrError
	switch {
	case err == nil:
		return l, nil
	case errors.Is(err, syscall.EADDRINUSE), errors.Is(err, wsaAddrInUse):
		return nil, fmt.Errorf("another program uses %s; stop it, or choose another port with --listen", addr)
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("this user may not listen on %s; choose a port above 1023 with --listen", addr)
	case errors.Is(err, syscall.EADDRNOTAVAIL), errors.As(err, &unknown), errors.As(err, &wrong):
		return nil, fmt.Errorf("this computer has no address %s; choose another with --listen", addr)
	}
	return nil, fmt.Errorf("listen on %s: %w", addr, err)
}

// reachable is the address that others reach a listener by: for one on all
// addresses the computer's name.
func reachable(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || !tcp.IP.IsUnspecified() {
		return addr.String()
	}
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "localhost"
	}
	return net.JoinHostPort(host, fmt.Sprint(tcp.Port))
}

// ready is what serve prints with --json when it is ready.
type ready struct {
	URL       string `json:"url"`
	Listen    string `json:"listen"`
	Data      string `json:"data"`
	Database  string `json:"database"`
	Company   string `json:"company"`
	Version   string `json:"version"`
	Cert      string `json:"certificate_sha256"`
	Link      string `json:"admin_link,omitempty"`
	LinkFile  string `json:"admin_link_file,omitempty"`
	TokenFile string `json:"enrolment_token_file,omitempty"`
}

// greet says that the server is ready and what to do next.
func (a *app) greet(ctx context.Context, s *server) error {
	home, err := s.co.Home(ctx)
	if err != nil {
		return err
	}
	c, err := home.Company(ctx)
	if err != nil {
		return err
	}
	r := ready{URL: s.co.Server(), Listen: s.listen.Addr().String(), Data: a.data, Database: s.db.Where(), Company: c.Name, Version: version}
	if cert, err := s.co.TLS().GetCertificate(nil); err == nil && cert != nil {
		sum := sha256.Sum256(cert.Certificate[0])
		r.Cert = strings.ToUpper(strings.ReplaceAll(fmt.Sprintf("% x", sum), " ", ":"))
	}
	if f := s.co.First(); f != nil {
		r.Link, r.LinkFile, r.TokenFile = f.Link, f.LinkFile, f.TokenFile
	}
	return a.print(r, func(w io.Writer) {
		fmt.Fprintf(w, "Aval summarizer %s is ready at %s\n", version, r.URL)
		fmt.Fprintf(w, "Company: %s. Data: %s. Database: %s\n\n", c.Name, a.data, s.db.Where())
		if r.Link != "" {
			fmt.Fprintf(w, "Open the console in your browser with this link (it works once):\n  %s\n  also in %s\n\n", r.Link, r.LinkFile)
			if s.co.Pin() != "" {
				fmt.Fprintf(w, "The browser warns, because the certificate is the server's own. Its SHA-256 fingerprint:\n  %s\n\n", r.Cert)
			}
		} else {
			fmt.Fprintf(w, "Console: %s (a new link to sign in: aval-summarizer token create --admin --data %s)\n\n", r.URL, quoteArg(a.data))
		}
		if r.TokenFile != "" {
			fmt.Fprintf(w, "Next, on the computer that receives support:\n  aval enroll --token-file %s\n\n", quoteArg(r.TokenFile))
		}
		fmt.Fprintln(w, "Stop with Ctrl+C.")
	})
}
