package html

import (
	"regexp"
	"slices"
	"strings"

	"linger"
	"linger/report/table"
	"linger/trace"
)

var (
	// query finds what follows the path in something like a URL; person what stands
	// before its host (RFC 3986, 3.4 and 3.2.1). They rather take too much.
	query  = regexp.MustCompile(`((?:([A-Za-z][A-Za-z0-9+.-]*)://|/)[^\s?#]*)([?#])(\S*)`)
	person = regexp.MustCompile(`(://)[^\s/?#]*@`)
)

// redact leaves out of a text what URLs in it carry in their queries and fragments
// and of users. What dns URLs ask for is no secret of theirs.
func redact(s string) string {
	if !strings.ContainsAny(s, "?#@") {
		return s
	}
	s = person.ReplaceAllString(s, "$1")
	return query.ReplaceAllStringFunc(s, func(url string) string {
		part := query.FindStringSubmatch(url)
		if strings.EqualFold(part[2], linger.SchemeDNS) {
			return url
		}
		// What closes the URL in the text stays: a quote, a colon behind it.
		rest := part[4]
		return part[1] + part[3] + "…" + rest[len(strings.TrimRight(rest, `'":,;)`)):]
	})
}

// redactURL does the same to what is a URL and nothing else, blanks and all.
func redactURL(s string) string {
	if strings.HasPrefix(s, "dns:") {
		return s
	}
	s = person.ReplaceAllString(s, "$1")
	if i := strings.IndexAny(s, "?#"); i >= 0 {
		return s[:i+1] + "…"
	}
	return s
}

// hideAll is what hide makes of each text.
func hideAll(texts []string, hide func(string) string) []string {
	out := make([]string, len(texts))
	for i := range texts {
		out[i] = table.Clean(hide(texts[i]))
	}
	return out
}

// redactInput returns the traces without what is redacted; the input stays whole.
func redactInput(in trace.Experiment) trace.Experiment {
	in.Traces = slices.Clone(in.Traces)
	for i, list := range in.Traces {
		in.Traces[i] = slices.Clone(list)
		for k, t := range list {
			c := *t
			c.Workload = redact(t.Workload)
			c.Connections, c.Exchanges = slices.Clone(t.Connections), slices.Clone(t.Exchanges)
			for j := range c.Connections {
				c.Connections[j].Reason = redact(c.Connections[j].Reason)
			}
			for j := range c.Exchanges {
				e := &c.Exchanges[j]
				e.URL, e.Redirect, e.Page, e.Failed = redactURL(e.URL), redactURL(e.Redirect), redactURL(e.Page), redact(e.Failed)
			}
			in.Traces[i][k] = &c
		}
	}
	return in
}
