// Package decrypted holds what is read of encrypted captures with their keys against whoever
// else knows it: the lab's own traces, tshark with the same keys, and the programs that spoke
// (curl, Chromium, Node, Go, Python, nginx, Caddy, HAProxy, Apache). It has tests only.
package decrypted
