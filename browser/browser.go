// Package browser is an engine that measures with a client of others: Chromium fetches
// a page, and tells by its DevTools protocol what it did when, and on which of its
// connections.
package browser

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"linger"
	"linger/trace"
)

// Chromium is what a strategy names as its client.
const Chromium = "chromium"

// Connections is how many connections of HTTP/1.1 Chromium opens to one origin
// (kMaxSocketsPerGroup in net/socket/client_socket_pool_manager.cc).
const Connections = 6

// names are those under which Chromium is installed.
var names = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}

// ErrMissing says that this machine has no Chromium.
var ErrMissing = errors.New("no Chromium is installed here; apt install chromium")

// Find returns the path of Chromium.
func Find() (string, error) {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", ErrMissing
}

// Config is what a run needs beside its scenario.
type Config struct {
	// Path is Chromium's, as Find gives it.
	Path string `json:"path"`
	// Places are where the workload's origins are.
	Places []Place `json:"places"`
	// Pins are the SHA-256 sums, in base64, of the public keys that are trusted.
	Pins []string `json:"pins"`
	// Dir is an empty folder for what the browser keeps; nothing else is written to.
	Dir string `json:"dir"`
	// Env is the environment, as "NAME=value"; what would send the browser elsewhere is
	// left out of it.
	Env []string `json:"-"`
	// KeyLog is a file for the secrets of TLS and QUIC; empty keeps them.
	KeyLog string `json:"keylog,omitempty"`
}

const (
	// quiet is how long nothing may be asked for once all is done, before what the
	// page has not asked for until then is given up.
	quiet = 2 * time.Second
	// leaveWithin is how long the browser may take to end.
	leaveWithin = 5 * time.Second
	// stalled is how long nothing may come of what was asked for, as of other clients
	// (policy.DefaultLimits).
	stalled = 60 * time.Second
)

// Run has the browser load the scenario's workload, which is what its first exchange,
// a page, names, and returns what happened. An exchange that the page did not ask for
// has failed; what else was asked for stands behind those of the workload.
func Run(ctx context.Context, s linger.Scenario, c Config) (*trace.Trace, error) {
	if err := cmp.Or(Fits(s), check(s.Workload, c.Places)); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.Path, c.arguments(s)...)
	cmd.WaitDelay = leaveWithin
	home := filepath.Join(c.Dir, "home")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return nil, err
	}
	if err := c.settle(); err != nil {
		return nil, err
	}
	cmd.Env = append(environment(c.Env), "HOME="+home, "TMPDIR="+home)
	tools, err := attach(cmd)
	if err != nil {
		return nil, err
	}
	stderr := &tail{}
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		tools.close()
		return nil, fmt.Errorf("cannot start %s: %w", c.Path, err)
	}
	tools.started()
	loaded, err := load(ctx, tools, s, c)
	if err == nil {
		tools.tell("", "Browser.close", nil)
	} else {
		cancel()
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-ended:
	case <-time.After(leaveWithin):
		cancel()
		<-ended
	}
	tools.close()
	if err != nil {
		if line := stderr.last(); line != "" && ctx.Err() != nil && !errors.Is(err, context.Canceled) {
			return nil, fmt.Errorf("%w; it said: %s", err, line)
		}
		return nil, err
	}
	return loaded, nil
}

// Fits reports why a browser cannot run a scenario, if it cannot.
func Fits(s linger.Scenario) error {
	t := s.Strategy
	http1 := t.Version == "1.1" && t.Connections == Connections && t.InFlight == 1
	newer := (t.Version == "2" || t.Version == "3") && t.Connections == 1
	if t.DNS != "" || t.Resume || t.FastOpen || !http1 && !newer {
		return fmt.Errorf("strategy %q: a browser opens six connections an origin on HTTP/1.1, and one on h2 and h3; use close:6, keep:6, h2 or h3", t.Name)
	}
	if t.Version == "2" && s.Workload.Scheme != linger.SchemeHTTPS {
		return fmt.Errorf("strategy %q: a browser speaks HTTP/2 over TLS only; use --scheme https, or keep:6", t.Name)
	}
	return fits(s.Workload)
}

// arguments are the command line: a browser without a window, a profile or any
// business of its own.
func (c Config) arguments(s linger.Scenario) []string {
	var rules, secure []string
	for _, p := range c.Places {
		name := p.hostPort(s.Workload.Scheme)
		rules = append(rules, "MAP "+name+" "+p.Address)
		secure = append(secure, name)
	}
	args := []string{
		"--headless=new", "--remote-debugging-pipe", "--user-data-dir=" + filepath.Join(c.Dir, "profile"),
		// What it loads is our own origin's, and there is no way to anywhere else; within
		// namespaces its sandbox, which is made of the same, is often not to be had.
		"--no-sandbox", "--disable-gpu", "--no-first-run", "--no-default-browser-check",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
		"--disable-default-apps", "--disable-domain-reliability", "--disable-client-side-phishing-detection",
		"--disable-breakpad", "--metrics-recording-only", "--mute-audio", "--password-store=basic", "--use-mock-keychain",
		"--disable-features=OptimizationHints,MediaRouter,Translate,DialMediaRouteProvider,AutofillServerCommunication,CertificateTransparencyComponentUpdater,LoadingPredictor,HttpsUpgrades,PaintHolding",
		"--host-resolver-rules=" + strings.Join(append(rules, "MAP * ~NOTFOUND"), ","), "--no-proxy-server",
		// A page may ask other origins for anything, in one request: whether they allow it, which a
		// recording need not tell, is nothing that it is about.
		"--disable-web-security",
	}
	if len(c.Pins) > 0 {
		args = append(args, "--ignore-certificate-errors-spki-list="+strings.Join(c.Pins, ","))
	}
	if c.KeyLog != "" {
		args = append(args, "--ssl-key-log-file="+c.KeyLog)
	}
	switch s.Strategy.Version {
	case "3":
		args = append(args, "--enable-quic", "--origin-to-force-quic-on="+strings.Join(secure, ","))
	case "2":
		args = append(args, "--disable-quic")
	default:
		args = append(args, "--disable-quic", "--disable-http2")
	}
	return append(args, "about:blank")
}

// settle writes the preferences: no connection is opened before something is asked for.
func (c Config) settle() error {
	profile := filepath.Join(c.Dir, "profile", "Default")
	if err := os.MkdirAll(profile, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(profile, "Preferences"), []byte(`{"net":{"network_prediction_options":2}}`), 0o600)
}

// environment is what is left of ours: nothing that would send the browser elsewhere.
func environment(all []string) []string {
	return slices.DeleteFunc(all, func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		switch strings.ToUpper(name) {
		case "HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY",
			"WAYLAND_DISPLAY", "SSLKEYLOGFILE", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "CHROMIUM_FLAGS":
			return true
		}
		return false
	})
}

// ownIcon gives a page an icon that is nowhere to be fetched. A browser asks for
// /favicon.ico otherwise, once the page is there, and does not tell of it.
const ownIcon = `new MutationObserver((_, watch) => {
	if (!document.head) return
	watch.disconnect()
	const icon = document.createElement("link")
	icon.rel = "icon"
	icon.href = "data:,"
	document.head.append(icon)
}).observe(document, {childList: true, subtree: true})`

// load navigates to the page and waits until it is there.
func load(ctx context.Context, d *devTools, s linger.Scenario, c Config) (*trace.Trace, error) {
	var version struct{ Product string }
	var target struct{ TargetID string }
	var session struct{ SessionID string }
	for _, step := range []struct {
		method string
		params func() any
		result any
	}{
		{"Browser.getVersion", func() any { return nil }, &version},
		{"Target.createTarget", func() any { return map[string]any{"url": "about:blank"} }, &target},
		{"Target.attachToTarget", func() any { return map[string]any{"targetId": target.TargetID, "flatten": true} }, &session},
	} {
		if err := d.ask(ctx, "", step.method, step.params(), step.result); err != nil {
			return nil, err
		}
	}
	for _, method := range []string{"Network.enable", "Page.enable"} {
		if err := d.ask(ctx, session.SessionID, method, nil, nil); err != nil {
			return nil, err
		}
	}
	asks, err := script(s.Workload, c.Places)
	if err != nil {
		return nil, err
	}
	for _, source := range []string{ownIcon, asks} {
		if err := d.ask(ctx, session.SessionID, "Page.addScriptToEvaluateOnNewDocument", map[string]any{"source": source}, nil); err != nil {
			return nil, err
		}
	}
	r := newRecord(s, c.Places)
	r.trace.Agent = version.Product
	r.trace.Began = time.Now()
	if err := d.tell(session.SessionID, "Page.navigate", map[string]any{"url": r.trace.Exchanges[0].URL}); err != nil {
		return nil, err
	}
	still := time.NewTimer(quiet)
	defer still.Stop()
	last := time.Now()
	for !r.done() {
		select {
		case m, ok := <-d.events:
			if !ok {
				return nil, d.ended()
			}
			if err := r.take(m); err != nil {
				return nil, err
			}
			still.Reset(quiet)
			last = time.Now()
		case <-still.C:
			if r.pending == len(r.headed) && r.loaded || time.Since(last) > stalled {
				return r.finish(), nil
			}
			still.Reset(quiet)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return r.finish(), nil
}

// A tail keeps the end of what a program says.
type tail struct{ text []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.text = append(t.text, p...)
	if more := len(t.text) - 4<<10; more > 0 {
		t.text = t.text[more:]
	}
	return len(p), nil
}

// last returns the last line.
func (t *tail) last() string {
	lines := strings.Split(strings.TrimSpace(string(t.text)), "\n")
	return cmp.Or(lines[len(lines)-1], "")
}
