"""HTTP/1.1 and websockets within the loop that answers them: no thread hands a request over."""
