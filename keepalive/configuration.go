package keepalive

import (
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"
)

// A Configuration is what a server's configuration says of connections that clients keep,
// and of its access logs.
type Configuration struct {
	Software string // nginx, apache or haproxy
	Idle     time.Duration
	// Limit is how many requests a connection carries at most; 0 is no limit.
	Limit int
	// IdleAt and LimitAt are where they were read, "nginx.conf:12"; empty are defaults.
	IdleAt, LimitAt string
	// Formats are the formats of logs by name, and Logs the names of those of files.
	Formats, Logs map[string]string
}

// An Include reads other files of a configuration, by a path that may have patterns.
type Include func(pattern string) (map[string][]byte, error)

// Bounds on what foreign configurations may ask for.
const (
	maxIncludes = 1000
	maxBlocks   = 64
)

// FormatOf returns the format that the server writes a log file in: the one that is named with
// it or, of HAProxy, which names none, the only one. Empty is that it is not known.
func (c Configuration) FormatOf(log string) string {
	if name := c.Logs[log]; name != "" {
		return c.Formats[name]
	}
	if c.Software == "haproxy" && len(c.Formats) == 1 {
		for _, format := range c.Formats {
			return format
		}
	}
	return ""
}

// ReadConfiguration reads nginx.conf, httpd.conf or haproxy.cfg: which one, its content
// tells. Where servers of one configuration differ, the error says where.
func ReadConfiguration(name string, text []byte, include Include) (Configuration, error) {
	c := &configuring{include: include, Configuration: Configuration{Formats: map[string]string{}, Logs: map[string]string{}}}
	switch software := softwareOf(string(text)); software {
	case "nginx":
		c.Software, c.Idle, c.Limit = software, 75*time.Second, 1000 // ngx_http_core_module
		if err := c.nginx(name, string(text), 0); err != nil {
			return c.Configuration, err
		}
	case "apache":
		c.Software, c.Idle, c.Limit = software, 5*time.Second, 101 // core, KeepAliveTimeout, MaxKeepAliveRequests
		if err := c.apache(name, string(text), 0); err != nil {
			return c.Configuration, err
		}
	case "haproxy":
		c.Software = software
		c.haproxy(name, string(text))
	default:
		return c.Configuration, fmt.Errorf("%s: it is no configuration of nginx, Apache or HAProxy", name)
	}
	return c.Configuration, c.err
}

// softwareOf tells whose configuration a text is.
func softwareOf(text string) string {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		switch strings.ToLower(words[0]) {
		case "global", "defaults", "frontend", "listen", "backend":
			return "haproxy"
		case "loadmodule", "serverroot", "documentroot", "keepalive", "keepalivetimeout", "includeoptional", "<ifmodule", "<virtualhost", "define", "defaultruntimedir", "mutex", "pidfile", "timeout", "customlog", "logformat", "maxkeepaliverequests":
			return "apache"
		case "user", "events", "http", "worker_processes", "server", "pid", "include", "error_log", "daemon", "log_format", "keepalive_timeout", "keepalive_requests", "upstream", "load_module", "events{", "http{", "server{":
			return "nginx"
		}
	}
	return ""
}

// configuring is a Configuration while it is read.
type configuring struct {
	Configuration
	include  Include
	included int
	err      error // that servers differ
}

// idle takes an idle limit.
func (c *configuring) idle(at string, d time.Duration) {
	if c.IdleAt != "" && c.Idle != d && c.err == nil {
		c.err = fmt.Errorf("%s has an idle timeout of %v, %s one of %v: say which with --idle-timeout", c.IdleAt, c.Idle, at, d)
	}
	if c.IdleAt == "" {
		c.Idle, c.IdleAt = d, at
	}
}

func (c *configuring) limit(at string, n int) {
	if c.LimitAt != "" && c.Limit != n && c.err == nil {
		c.err = fmt.Errorf("%s has a limit of %d requests, %s one of %d: say which with --max-requests", c.LimitAt, c.Limit, at, n)
	}
	if c.LimitAt == "" {
		c.Limit, c.LimitAt = n, at
	}
}

// others reads what a configuration includes.
func (c *configuring) others(pattern string, depth int, read func(name, text string, depth int) error) error {
	if c.include == nil || depth > maxBlocks {
		return nil
	}
	files, err := c.include(pattern)
	if err != nil {
		return err
	}
	for name, text := range files {
		if c.included++; c.included > maxIncludes {
			return errors.New("it includes more than a thousand files")
		}
		if err := read(name, string(text), depth+1); err != nil {
			return err
		}
	}
	return nil
}

// nginx reads directives: words up to ";", and blocks. Those of upstreams are of the other
// side.
func (c *configuring) nginx(name, text string, depth int) error {
	var blocks []string
	var words []string
	line := 1
	for len(text) > 0 {
		switch ch := text[0]; ch {
		case '\n':
			line++
			text = text[1:]
		case ' ', '\t', '\r':
			text = text[1:]
		case '#':
			end := strings.IndexByte(text, '\n')
			if end < 0 {
				return nil
			}
			text = text[end:]
		case ';':
			if err := c.nginxDirective(fmt.Sprintf("%s:%d", path.Base(name), line), blocks, words, depth); err != nil {
				return err
			}
			words, text = nil, text[1:]
		case '{':
			if len(blocks) == maxBlocks {
				return fmt.Errorf("%s:%d: its blocks lie too deep", path.Base(name), line)
			}
			block := ""
			if len(words) > 0 {
				block = words[0]
			}
			blocks, words, text = append(blocks, block), nil, text[1:]
		case '}':
			if len(blocks) > 0 {
				blocks = blocks[:len(blocks)-1]
			}
			words, text = nil, text[1:]
		default:
			word, rest := nginxWord(text)
			line += strings.Count(text[:len(text)-len(rest)], "\n")
			words, text = append(words, word), rest
		}
	}
	return nil
}

// nginxWord takes a word off the text, which may be quoted.
func nginxWord(text string) (word, rest string) {
	if mark := text[0]; mark == '"' || mark == '\'' {
		var b strings.Builder
		for i := 1; i < len(text); i++ {
			switch {
			case text[i] == '\\' && i+1 < len(text):
				i++
				b.WriteByte(text[i])
			case text[i] == mark:
				return b.String(), text[i+1:]
			default:
				b.WriteByte(text[i])
			}
		}
		return b.String(), ""
	}
	end := strings.IndexAny(text, " \t\r\n;{}\"'")
	if strings.HasPrefix(text, "${") { // a variable's braces are no block
		if close := strings.IndexByte(text, '}'); close >= 0 {
			end = close + 1
		}
	}
	switch {
	case end < 0:
		return text, ""
	case end == 0:
		return text[:1], text[1:]
	}
	return text[:end], text[end:]
}

func (c *configuring) nginxDirective(at string, blocks, words []string, depth int) error {
	if len(words) < 2 {
		return nil
	}
	for _, b := range blocks {
		if b == "upstream" || b == "stream" || b == "mail" {
			return nil
		}
	}
	switch words[0] {
	case "keepalive_timeout":
		if d, ok := nginxTime(words[1]); ok {
			c.idle(at, d)
		}
	case "keepalive_requests":
		if n, err := strconv.Atoi(words[1]); err == nil {
			c.limit(at, n)
		}
	case "log_format":
		formats := words[2:]
		if len(formats) > 0 && strings.HasPrefix(formats[0], "escape=") {
			formats = formats[1:]
		}
		c.Formats[words[1]] = strings.Join(formats, "")
	case "access_log":
		if len(words) > 2 && !strings.Contains(words[2], "=") {
			c.Logs[words[1]] = words[2]
		}
	case "include":
		return c.others(words[1], depth, c.nginx)
	}
	return nil
}

// nginxTime reads 75, 75s, 1m, 1h30m, 500ms (nginx.org, "Configuration file measurement
// units").
func nginxTime(s string) (time.Duration, bool) {
	if n, err := strconv.Atoi(s); err == nil {
		return time.Duration(n) * time.Second, true
	}
	d, err := time.ParseDuration(s)
	return d, err == nil
}

// apache reads a directive a line.
func (c *configuring) apache(name, text string, depth int) error {
	keeps := true
	number := 0
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		number++
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		at := fmt.Sprintf("%s:%d", path.Base(name), number)
		value := strings.Trim(words[1], `"`)
		switch strings.ToLower(words[0]) {
		case "keepalive":
			if keeps = !strings.EqualFold(value, "off"); !keeps {
				c.idle(at, 0)
			}
		case "keepalivetimeout":
			d, err := time.ParseDuration(value)
			if n, wrong := strconv.Atoi(value); wrong == nil {
				d, err = time.Duration(n)*time.Second, nil
			}
			if err == nil && keeps {
				c.idle(at, d)
			}
		case "maxkeepaliverequests":
			// Those are the requests that a connection is kept after: it carries one more.
			if n, err := strconv.Atoi(value); err == nil {
				if n > 0 {
					n++
				}
				c.limit(at, n)
			}
		case "logformat":
			if format, name, ok := apacheFormat(line); ok {
				c.Formats[name] = format
			}
		case "customlog":
			if len(words) > 2 {
				c.Logs[value] = strings.Trim(words[2], `"`)
			}
		case "include", "includeoptional":
			if err := c.others(value, depth, c.apache); err != nil {
				return err
			}
		}
	}
	return nil
}

// apacheFormat takes LogFormat "…" name apart.
func apacheFormat(line string) (format, name string, ok bool) {
	from := strings.IndexByte(line, '"')
	if from < 0 {
		return "", "", false
	}
	for i := from + 1; i < len(line); i++ {
		if line[i] == '\\' {
			i++
		} else if line[i] == '"' {
			name = strings.TrimSpace(line[i+1:])
			return line[from : i+1], name, name != ""
		}
	}
	return "", "", false
}

// haproxy reads the defaults, and sections that accept: of the wait for the next request,
// "timeout http-keep-alive" counts, without it that of a request, without it that of the
// client (HAProxy's configuration manual, timeout http-keep-alive).
func (c *configuring) haproxy(name, text string) {
	rank := map[string]int{"http-keep-alive": 3, "http-request": 2, "client": 1}
	best, section, number := 0, "", 0
	for line := range strings.Lines(text) {
		number++
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		at := fmt.Sprintf("%s:%d", path.Base(name), number)
		switch words[0] {
		case "global", "defaults", "frontend", "listen", "backend":
			section = words[0]
		case "timeout":
			if len(words) < 3 || section == "backend" || rank[words[1]] < max(best, 1) {
				continue
			}
			d, err := time.ParseDuration(strings.Replace(words[2], "us", "µs", 1))
			if n, wrong := strconv.Atoi(words[2]); wrong == nil {
				d, err = time.Duration(n)*time.Millisecond, nil
			}
			if err != nil {
				continue
			}
			if rank[words[1]] > best {
				best, c.IdleAt, c.err = rank[words[1]], "", nil
			}
			c.idle(at, d)
		case "log-format":
			if _, format, ok := strings.Cut(line, "log-format"); ok {
				c.Formats[at] = strings.TrimSpace(format)
			}
		}
	}
}
