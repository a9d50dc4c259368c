async function predict(body, parameters) {
  const query = new URLSearchParams(parameters);
  const response = await fetch(`predict?${query}`, { method: "POST", body });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.hint ? `${answer.error}. ${answer.hint}` : answer.error);
  return answer;
}
