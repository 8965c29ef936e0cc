// Package report says what is to be seen of a result: typed tables, and the lines
// that stand around them. It lays out nothing. Text and HTML are two renderings of
// what it returns, and formats are what programs read; none of the three reads what
// another has written.
package report

// A Limit is something that predictions leave out: what, and what comes of it.
type Limit struct {
	What string `json:"what"`
	Text string `json:"text,omitempty"`
}
