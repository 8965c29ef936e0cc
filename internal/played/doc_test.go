// Package played holds tests only: connections that are played on emulated paths by
// clients and servers of which we know why each of them was opened, because we told them
// to, and what the audit says of captures taken at the client, at the server and in the
// middle.
package played
