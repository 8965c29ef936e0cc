package weblog

import "bytes"

// keys are what is taken from a line of JSON.
type keys struct {
	root  node
	takes []key
}

// A key is one value: the names of the objects that lead to it, and its own.
type key struct {
	path   []string
	field  Field
	kind   kind
	second Field
}

// A node is an object, or a value, in the lines.
type node struct {
	name     string
	children []node
	take     int // of keys.takes, from 1
}

func (k *keys) add(taken key) {
	k.takes = append(k.takes, taken)
	at := &k.root
	for _, name := range taken.path {
		found := -1
		for i := range at.children {
			if at.children[i].name == name {
				found = i
			}
		}
		if found < 0 {
			at.children = append(at.children, node{name: name})
			found = len(at.children) - 1
		}
		at = &at.children[found]
	}
	at.take = len(k.takes)
}

// maxDepth bounds how deep objects may lie in each other.
const maxDepth = 64

// object takes a line of JSON apart (RFC 8259). It checks no more of the grammar than it
// needs to find its values: a line is good if it is an object to its end and has a time.
func (p *Parser) object(line []byte) bool {
	s := scanner{p: p, line: line}
	s.blanks()
	if s.next() != '{' || !s.members(&p.layout.keys.root, 0) {
		return false
	}
	s.blanks()
	return s.at == len(s.line) && s.timed
}

type scanner struct {
	p     *Parser
	line  []byte
	at    int
	timed bool
}

// next returns the next byte and goes beyond it; 0 at the end.
func (s *scanner) next() byte {
	if s.at >= len(s.line) {
		return 0
	}
	s.at++
	return s.line[s.at-1]
}

func (s *scanner) blanks() {
	for s.at < len(s.line) && (s.line[s.at] == ' ' || s.line[s.at] == '\t') {
		s.at++
	}
}

// members goes through an object whose brace has been read.
func (s *scanner) members(n *node, depth int) bool {
	s.blanks()
	if s.at < len(s.line) && s.line[s.at] == '}' {
		s.at++
		return true
	}
	for {
		s.blanks()
		if s.next() != '"' {
			return false
		}
		name, ok := s.text()
		if !ok {
			return false
		}
		s.blanks()
		if s.next() != ':' {
			return false
		}
		s.blanks()
		var child *node
		for i := range n.children {
			if n.children[i].name == string(name) {
				child = &n.children[i]
				break
			}
		}
		if !s.value(child, depth) {
			return false
		}
		s.blanks()
		switch s.next() {
		case ',':
		case '}':
			return true
		default:
			return false
		}
	}
}

// text returns what stands before the closing quotation mark, as it is written.
func (s *scanner) text() ([]byte, bool) {
	from := s.at
	for {
		i := bytes.IndexByte(s.line[s.at:], '"')
		if i < 0 {
			return nil, false
		}
		end := s.at + i
		s.at = end + 1
		if !escaped(s.line[from:end]) {
			return s.line[from:end], true
		}
	}
}

// value goes over a value, and takes it if it is wanted.
func (s *scanner) value(n *node, depth int) bool {
	if s.at >= len(s.line) || depth > maxDepth {
		return false
	}
	var v []byte
	switch s.line[s.at] {
	case '{':
		s.at++
		if n != nil && len(n.children) > 0 {
			return s.members(n, depth+1)
		}
		return s.skip('}')
	case '[':
		s.at++
		return s.list(n)
	case '"':
		s.at++
		var ok bool
		if v, ok = s.text(); !ok {
			return false
		}
	default:
		from := s.at
		for s.at < len(s.line) && s.line[s.at] != ',' && s.line[s.at] != '}' && s.line[s.at] != ']' && s.line[s.at] != ' ' {
			s.at++
		}
		if v = s.line[from:s.at]; len(v) == 0 {
			return false
		}
		if string(v) == "null" {
			return true
		}
	}
	return n == nil || n.take == 0 || s.taken(n, v)
}

// list takes the first text of a list: a header field has its values in one.
func (s *scanner) list(n *node) bool {
	s.blanks()
	if n != nil && n.take > 0 && s.at < len(s.line) && s.line[s.at] == '"' {
		s.at++
		v, ok := s.text()
		if !ok || !s.taken(n, v) {
			return false
		}
	}
	return s.skip(']')
}

// skip goes beyond the end of an object or a list that has been entered.
func (s *scanner) skip(closing byte) bool {
	var open [maxDepth]byte
	depth := 0
	open[0] = closing
	for s.at < len(s.line) {
		switch c := s.next(); c {
		case '"':
			if _, ok := s.text(); !ok {
				return false
			}
		case '{', '[':
			if depth++; depth == maxDepth {
				return false
			}
			open[depth] = c + 2 // the closing one, in ASCII
		case '}', ']':
			if open[depth] != c {
				return false
			}
			if depth--; depth < 0 {
				return true
			}
		}
	}
	return false
}

func (s *scanner) taken(n *node, v []byte) bool {
	k := &s.p.layout.keys.takes[n.take-1]
	switch k.field {
	case Time:
		s.timed = true
		return s.p.time(k.kind, v)
	case Status:
		return s.p.status(k.kind, v)
	}
	if !s.p.want.Has(k.field) && (k.second == Ignored || !s.p.want.Has(k.second)) || isNone(v) {
		return true
	}
	return s.p.entry.put(k.field, k.second, k.kind, v)
}
