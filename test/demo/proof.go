package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"aval/test/rig"
)

// summary is the part of a summary that the terminal shows.
type summary struct {
	Name              string
	Summary           string
	ApplicationLabels []string
	Steps             []struct {
		Application string
		Action      string
		Commands    []string
	}
}

// done is what the supporter really did: the summary must name all of it.
func (d *demo) done() []string {
	return []string{"xclock", "xedit", strings.TrimSuffix(d.say.text("note"), ".")}
}

// showSummary waits for the summary, prints it and compares it with what was done.
func (d *demo) showSummary() error {
	var got rig.ExportSession
	err := d.Wait("the summary", 60*time.Second, func() (bool, error) {
		e, err := d.summarizer.Export()
		if err != nil {
			return false, err
		}
		i := slices.IndexFunc(e.Sessions, func(s rig.ExportSession) bool { return s.ID == d.session })
		if i < 0 {
			return false, fmt.Errorf("session %s has not arrived", d.session)
		}
		got = e.Sessions[i]
		return got.HasSummary(), nil
	})
	if err != nil {
		return err
	}
	var s summary
	if err := json.Unmarshal(got.Summary, &s); err != nil {
		return fmt.Errorf("read summary: %w", err)
	}
	d.say.next("summary")
	fmt.Printf("\n     %s\n     %s\n\n", s.Name, strings.ReplaceAll(s.Summary, "\n", "\n     "))
	for _, st := range s.Steps {
		fmt.Printf("     - %s: %s %s\n", st.Application, st.Action, strings.Join(st.Commands, "; "))
	}
	fmt.Println()

	text := strings.ToLower(string(unescaped(got.Summary)))
	var missing []string
	for _, want := range d.done() {
		if !strings.Contains(text, strings.ToLower(want)) {
			missing = append(missing, fmt.Sprintf("%q", want))
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("the summary does not name what was done: %s\n%s", strings.Join(missing, ", "), got.Summary)
	}
	d.say.line("proved", strings.Join(d.done(), " · "))
	all, err := json.Marshal(got)
	if err != nil {
		return err
	}
	if strings.Contains(string(unescaped(all)), d.say.text("letter")) {
		return errors.New("the title of a window that was open before the answer has left the computer")
	}
	d.say.line("canary")
	return nil
}

// unescaped rewrites JSON without \u escapes, so that words can be searched.
func unescaped(raw []byte) []byte {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return raw
	}
	return fmt.Append(nil, v)
}

// adminLink is a link that still works: each can be used once.
func (d *demo) adminLink() (string, error) {
	return d.summarizer.FirstStart("admin-link")
}

// showConsole proves that the console shows the summary: by fetching it, and in
// a picture where a browser is installed.
func (d *demo) showConsole() error {
	if d.interactive() {
		return nil // the link works once, and somebody is there to use it: linger
	}
	link, err := d.adminLink()
	if err != nil {
		return err
	}
	c, err := d.summarizer.Client()
	if err != nil {
		return err
	}
	list, err := d.summarizer.Page(c, link)
	if err != nil {
		return err
	}
	if !strings.Contains(list, "x11vnc") {
		return errors.New("the console's list does not show the session")
	}
	path, err := sessionPath(list)
	if err != nil {
		return err
	}
	page, err := d.summarizer.Page(c, d.summarizer.URL+path)
	if err != nil {
		return err
	}
	for _, want := range d.done() {
		if !strings.Contains(html.UnescapeString(page), want) {
			return fmt.Errorf("the console's page of the session does not name %q", want)
		}
	}
	d.say.next("console", d.summarizer.URL+path, len(page))
	return d.browse(c, path)
}

// sessionPath finds the link to the first session in the console's list.
func sessionPath(page string) (string, error) {
	_, rest, ok := strings.Cut(page, `href="/s/`)
	path, _, closed := strings.Cut(rest, `"`)
	if !ok || !closed {
		return "", errors.New("the console's list has no link to the session")
	}
	path, _, _ = strings.Cut(path, "#")
	return "/s/" + html.UnescapeString(path), nil
}

// browse photographs the console with a headless browser, where there is one.
// The browser talks to a small door of the demo's own that is signed in already:
// so it needs neither the link, which works once, nor the self-made certificate.
func (d *demo) browse(c *http.Client, path string) error {
	browser, err := exec.LookPath("chromium")
	if err != nil {
		return nil
	}
	target, err := url.Parse(d.summarizer.URL)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(target)
			p.Out.Header.Del("Cookie")
			p.Out.Header.Set("Accept-Language", d.lang)
			for _, k := range c.Jar.Cookies(target) {
				p.Out.AddCookie(k)
			}
		},
		Transport: c.Transport,
	}
	srv := &http.Server{Handler: proxy, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = srv.Serve(l) }()
	defer srv.Close()

	shot := d.Path("console.png")
	args := []string{"--headless", "--disable-gpu", "--no-first-run", "--hide-scrollbars", "--disable-dev-shm-usage",
		"--user-data-dir=" + d.Path("browser"), "--window-size=1280,860", "--screenshot=" + shot}
	if os.Geteuid() == 0 {
		args = append(args, "--no-sandbox") // it refuses to start for root with its sandbox
	}
	res, err := d.Run(60*time.Second, rig.Cmd{Name: "chromium", Path: browser, Args: append(args, "http://"+l.Addr().String()+path)})
	if err != nil || res.Code != 0 {
		fmt.Printf("   (no picture of the console: chromium ended with status %d, %v)\n", res.Code, err)
		return nil
	}
	raw, err := os.ReadFile(shot)
	if err != nil {
		return err
	}
	d.say.line("browser")
	names := []string{filepath.Join(d.out, "7-console.png")}
	if d.pictures != "" {
		names = append(names, filepath.Join(d.pictures, "console-"+d.lang+".png"))
	}
	for _, n := range names {
		if err := os.MkdirAll(filepath.Dir(n), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(n, raw, 0o644); err != nil {
			return err
		}
	}
	d.say.picture(names[0])
	return nil
}
