package browser

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"linger"
	"linger/content"
)

// A Place is where the browser finds one of the workload's origins.
type Place struct {
	// Host is the origin's name, with its port where that is not the scheme's own.
	Host string `json:"host"`
	// Address is what the name is taken for, IP:port, without asking anybody.
	Address string `json:"address"`
}

// base is the beginning of the URLs of an origin, as a browser writes them.
func (p Place) base(scheme string) string {
	return scheme + "://" + strings.TrimSuffix(p.Host, ":"+schemePort(scheme))
}

func schemePort(scheme string) string {
	if scheme == linger.SchemeHTTPS {
		return "443"
	}
	return "80"
}

// hostPort is the origin's name with its port.
func (p Place) hostPort(scheme string) string {
	if host, port, err := net.SplitHostPort(p.Host); err == nil {
		return net.JoinHostPort(host, port)
	}
	return net.JoinHostPort(strings.Trim(p.Host, "[]"), schemePort(scheme))
}

// How a page has something fetched that its HTML does not name.
const (
	byImage  = "image"
	byStyle  = "style"
	byScript = "script"
	byFont   = "font"
	byFetch  = "fetch"
)

// An object is one exchange as the script has it.
type object struct {
	URL    string `json:"url"`
	Method string `json:"method"`
	How    string `json:"how"`
	Body   int64  `json:"body,omitempty"` // bytes of the request's content
	Parent int    `json:"parent"`
	At     int64  `json:"at"`
	// Named says that the HTML of the page has it fetched.
	Named bool `json:"named,omitempty"`
	// Next is the document that this one, a redirect, leads to; 0 is none.
	Next int `json:"next,omitempty"`
}

// howOf is how a page would come to ask for an exchange.
func howOf(e linger.Exchange) string {
	kind, _, _ := strings.Cut(e.ContentType, ";")
	switch {
	case e.Method != "GET" || e.Status != 200:
		return byFetch
	case strings.HasPrefix(kind, "image/"):
		return byImage
	case kind == "text/css":
		return byStyle
	case strings.HasSuffix(kind, "/javascript"), strings.HasSuffix(kind, "/x-javascript"):
		return byScript
	case content.IsFont(kind):
		return byFont
	}
	return byFetch
}

//go:embed page.js
var pageScript string

// script is what the browser runs in the page: it asks for what the HTML does not name, when what
// names it has come as far.
func script(w linger.Workload, places []Place) (string, error) {
	chain, err := documents(w)
	if err != nil {
		return "", err
	}
	objects := make([]object, len(w.Exchanges))
	for i, e := range w.Exchanges {
		objects[i] = object{
			URL: places[e.Origin].base(w.Scheme) + e.Path, Method: e.Method, How: howOf(e), Body: e.RequestBody, Parent: e.Parent, At: e.At,
		}
	}
	for k, i := range chain[1:] {
		objects[chain[k]].Next = i
		objects[i].Named = true // it is where the browser is led
	}
	for _, i := range content.Named(w, chain[len(chain)-1]) {
		objects[i].Named = true
	}
	text, err := json.Marshal(objects)
	return strings.Replace(pageScript, "OBJECTS", string(text), 1), err
}

// documents are the exchanges that lead to the page: redirects, and the page itself.
func documents(w linger.Workload) ([]int, error) {
	chain := []int{0}
	for {
		i := chain[len(chain)-1]
		e := w.Exchanges[i]
		kind, _, _ := strings.Cut(e.ContentType, ";")
		switch {
		case e.Method == "GET" && e.Status == 200 && kind == "text/html":
			return chain, nil
		case e.Method != "GET" || e.Status < 300 || e.Status > 399 || e.Status == 304:
			return nil, fmt.Errorf("workload %q: a browser begins with a page, and %s %s, with status %d and %s, is none; begin with an HTML page", w.Name, e.Method, e.Path, e.Status, quotedType(kind))
		}
		next := slices.IndexFunc(w.Exchanges, func(c linger.Exchange) bool { return c.Parent == i && c.Method == "GET" })
		if next < 0 {
			return nil, fmt.Errorf("workload %q: %s redirects to nothing; begin with an HTML page", w.Name, e.Path)
		}
		chain = append(chain, next)
	}
}

func quotedType(kind string) string {
	if kind == "" {
		return "no type"
	}
	return kind
}

// fits reports the first exchange that no page can have a browser fetch.
func fits(w linger.Workload) error {
	if _, err := documents(w); err != nil {
		return err
	}
	seen := map[string]bool{}
	for i, e := range w.Exchanges {
		switch key := fmt.Sprint(e.Method, " ", e.Origin, e.Path); {
		case e.Parent == linger.NoParent && i > 0:
			return fmt.Errorf("workload %q: a browser has one page to begin with, and %s %s depends on nothing; let it depend on the page", w.Name, e.Method, e.Path)
		case e.Method == "CONNECT" || e.Method == "TRACE" || e.Method == "TRACK":
			return fmt.Errorf("workload %q: no page can have a browser send %s; leave %s out", w.Name, e.Method, e.Path)
		case e.RequestBody > 0 && (e.Method == "GET" || e.Method == "HEAD"):
			return fmt.Errorf("workload %q: a browser sends no content with %s; leave body= of %s out", w.Name, e.Method, e.Path)
		case e.Think > 0:
			return fmt.Errorf("workload %q: a browser waits as it likes, and not %v; leave the think time out", w.Name, e.Think)
		case seen[key]:
			return fmt.Errorf("workload %q: %s %s is asked for twice, and a browser has it then; name it once", w.Name, e.Method, e.Path)
		default:
			seen[key] = true
		}
		if sent := asSent(e.Path); sent != e.Path {
			return fmt.Errorf("workload %q: a browser asks for %s as %s; write it so", w.Name, e.Path, sent)
		}
	}
	return nil
}

// asSent is a path as a browser sends it: with what may not stand in a URI as %XX, without a
// fragment and without dot segments (https://url.spec.whatwg.org/#path-state).
func asSent(path string) string {
	path, _, _ = strings.Cut(path, "#")
	path, query, asked := strings.Cut(path, "?")
	path = strings.ReplaceAll(path, `\`, "/")
	var out []string
	segments := strings.Split(path, "/")[1:]
	for i, s := range segments {
		last := i == len(segments)-1
		switch strings.ReplaceAll(strings.ToLower(s), "%2e", ".") {
		case ".":
			if last {
				out = append(out, "")
			}
		case "..":
			out = out[:max(0, len(out)-1)]
			if last {
				out = append(out, "")
			}
		default:
			out = append(out, s)
		}
	}
	path = linger.EscapeURL("/" + strings.Join(out, "/"))
	if asked {
		path += "?" + strings.ReplaceAll(linger.EscapeURL(query), "'", "%27")
	}
	return path
}

// check reports places at which a browser cannot tell the workload's origins apart.
func check(w linger.Workload, places []Place) error {
	if len(places) != w.OriginCount() {
		return fmt.Errorf("workload %q: %d origins, and %d places", w.Name, w.OriginCount(), len(places))
	}
	seen := map[string]bool{}
	for _, p := range places {
		base := p.base(w.Scheme)
		if u, err := url.Parse(base); err != nil || u.Host == "" {
			return fmt.Errorf("workload %q: %q is no host for a browser; give the origin another name", w.Name, p.Host)
		}
		if seen[base] {
			return fmt.Errorf("workload %q: to a browser, two of its origins are %s; name it once", w.Name, base)
		}
		seen[base] = true
	}
	return nil
}
