/** What one session asks of its model; null: the server's default, nothing is sent. */

export interface SessionSettings {
  readonly model: string | null;
  readonly systemPrompt: string;
  readonly temperature: number | null;
  readonly topP: number | null;
  readonly topK: number | null;
  readonly minP: number | null;
  readonly maxTokens: number | null;
  readonly repeatPenalty: number | null;
  readonly seed: number | null;
  readonly stop: readonly string[];
}
